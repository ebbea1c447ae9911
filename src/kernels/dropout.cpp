// Keyed dropout as an operator with a gradient: see dropout.h. Backward computes the mask again, so none is kept.
#include "blip/kernels/dropout.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "blip/base/error.h"
#include "blip/kernels/device.h"
#include "src/kernels/dropout_kernel.h"

namespace blip {
namespace {

template <class Value>
void run(const at::Tensor& from, const at::Tensor& to, const DropoutSite& site) {
    const DropoutBody<Value> body{static_cast<const Value*>(from.const_data_ptr()),
                                  static_cast<Value*>(to.mutable_data_ptr()), from.numel(), site};
    if (!from.is_cpu()) {
        launch_dropout(body, compute_stream(from.device()));
        return;
    }
    at::parallel_for(0, (body.count + 3) / 4, 8192, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t group = begin; group < end; ++group) body(group);
    });
}

at::Tensor masked(const at::Tensor& x, double probability, std::uint64_t key, std::uint64_t site) {
    const DropoutSite of_site{key, site << 40, static_cast<std::uint32_t>(std::min(probability * 0x1p32, 0x1p32 - 1)),
                              static_cast<float>(1.0 / (1.0 - probability))};
    const at::Tensor from = x.contiguous();    // element numbers are those of the shape, not of the memory
    at::Tensor to = at::empty_like(from);
    switch (from.scalar_type()) {
        case at::kFloat:
            run<float>(from, to, of_site);
            break;
        case at::kBFloat16:
            run<Bf16>(from, to, of_site);
            break;
        default:
            throw Error(ExitCode::internal, fmt::format("dropout of {}", c10::toString(from.scalar_type())));
    }
    return to;
}

struct KeyedDropout : torch::autograd::Function<KeyedDropout> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, double probability,
                              std::int64_t key, std::int64_t site) {
        context->saved_data["probability"] = probability;
        context->saved_data["key"] = key;
        context->saved_data["site"] = site;
        return masked(x, probability, static_cast<std::uint64_t>(key), static_cast<std::uint64_t>(site));
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   const torch::autograd::variable_list& gradients) {
        const auto number = [&](const char* name) {
            return static_cast<std::uint64_t>(context->saved_data[name].toInt());
        };
        return {masked(gradients[0], context->saved_data["probability"].toDouble(), number("key"), number("site")),
                at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

}    // namespace

at::Tensor DropoutMasks::apply(const at::Tensor& x) {
    if (!active()) return x;
    return KeyedDropout::apply(x, probability_, static_cast<std::int64_t>(key_), static_cast<std::int64_t>(site_++));
}

}    // namespace blip

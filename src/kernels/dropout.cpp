// Keyed dropout as an operator with a gradient: see dropout.h. Backward computes the mask again, so none is kept.
#include "blip/kernels/dropout.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>

#include "blip/kernels/kept.h"
#include "src/kernels/launch.h"

namespace blip {
namespace {

template <class Value>
void mask(const at::Tensor& from, const at::Tensor& to, const DropoutSite& site) {
    const std::int64_t values = from.numel(), width = from.dim() > 0 ? from.size(-1) : 1;
    const DropoutBody<Value> body{read_from<Value>(from, values), write_to<Value>(to, values),
                                  width > 0 ? values / width : 0, width, site};
    if (!from.is_cpu()) {
        launch(body, compute_stream(from.device()));
        return;
    }
    at::parallel_for(0, body.count(), 8192, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t group = begin; group < end; ++group) body(group);
    });
}

}    // namespace

at::Tensor dropped(const at::Tensor& x, const DropoutDraw& draw) {
    const at::Tensor from = x.contiguous();    // element numbers are those of the shape, not of the memory
    at::Tensor to = at::empty_like(from);
    with_type_of(from, [&]<class Value>(Value) { mask<Value>(from, to, site_of(draw, from)); });
    return to;
}

namespace {

struct KeyedDropout : torch::autograd::Function<KeyedDropout> {
    static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const DropoutDraw& draw) {
        keep(*context, "draw", draw);
        return dropped(x, draw);
    }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   const torch::autograd::variable_list& gradients) {
        return {dropped(gradients[0], kept<DropoutDraw>(*context, "draw")), at::Tensor()};
    }
};

}    // namespace

at::Tensor DropoutMasks::apply(const at::Tensor& x, std::int64_t captions) {
    if (!active()) return x;
    return KeyedDropout::apply(x, next(captions));
}

}    // namespace blip

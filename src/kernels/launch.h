// Kernel bodies on LibTorch's tensors: on a GPU queued on the current stream, on the CPU run by the calling thread (the
// twin that tests compare). Internal to the kernels layer.
#pragma once

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "blip/base/error.h"
#include "blip/device/device.h"
#include "blip/kernels/dropout.h"
#include "src/kernels/kernel_list.h"

namespace blip {

template <class Body>
void run(const Body& body, const at::Tensor& of_device) {
    if (of_device.is_cpu()) {
        run_on_host(body);
    } else {
        launch(body, compute_stream(of_device.device()));
    }
}

// For a tensor [captions, heads, tokens, width], or [captions / s, heads, s * tokens, width] of s captions side by
// side; its rows are the last dimension. Without heads, or captions, there is one.
inline DropoutSite site_of(const DropoutDraw& draw, const at::Tensor& tensor) {
    if (draw.probability == 0) return {};
    const auto size = [&](std::int64_t d) {
        return d <= tensor.dim() ? static_cast<std::uint32_t>(tensor.size(-d)) : 1U;
    };
    const std::uint32_t tokens = size(2), heads = tensor.dim() > 3 ? size(3) : 1;
    return {draw.key,
            draw.site,
            draw.first_caption,
            static_cast<std::uint32_t>(std::min(draw.probability * 0x1p32, 0x1p32 - 1)),
            static_cast<float>(1.0 / (1.0 - draw.probability)),
            heads,
            tokens / draw.side_by_side,
            draw.side_by_side};
}

// work(Value{}) with the type of the tensor's numbers. Throws internal for others than fp32 and bf16.
template <class Work>
void with_type_of(const at::Tensor& tensor, const Work& work) {
    if (tensor.scalar_type() == at::kFloat) {
        work(float{});
    } else if (tensor.scalar_type() == at::kBFloat16) {
        work(Bf16{});
    } else {
        throw Error(ExitCode::internal,
                    std::string("a kernel for numbers of type ") + c10::toString(tensor.scalar_type()));
    }
}

template <class Value>
inline constexpr at::ScalarType type_of = at::kFloat;
template <>
inline constexpr at::ScalarType type_of<Bf16> = at::kBFloat16;
template <>
inline constexpr at::ScalarType type_of<std::uint8_t> = at::kByte;

// A kernel would go past the end of what is not as it expects: throws internal.
template <class Value>
void check_operand(const at::Tensor& tensor, std::int64_t values) {
    if (tensor.is_contiguous() && tensor.scalar_type() == type_of<Value> && tensor.numel() == values) return;
    throw Error(ExitCode::internal, "a kernel for {} contiguous values of type {} was given {} of type {}, strides {}",
                values, c10::toString(type_of<Value>), tensor.numel(), c10::toString(tensor.scalar_type()),
                fmt::join(tensor.strides(), ","));
}

// The memory of a contiguous tensor with so many values, or null where it is undefined.
template <class Value>
const Value* read_from(const at::Tensor& tensor, std::int64_t values) {
    if (!tensor.defined()) return nullptr;
    check_operand<Value>(tensor, values);
    return static_cast<const Value*>(tensor.const_data_ptr());
}
template <class Value>
Value* write_to(const at::Tensor& tensor, std::int64_t values) {
    if (!tensor.defined()) return nullptr;
    check_operand<Value>(tensor, values);
    return static_cast<Value*>(tensor.mutable_data_ptr());
}

}    // namespace blip

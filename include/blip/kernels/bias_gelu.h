// y = gelu(x + bias) with the exact GELU, in one kernel each way. Used by model on GPUs; LibTorch's operators are
// faster on the CPU, where this runs as a reference for tests. Legend: W width.
#pragma once

#include <ATen/core/Tensor.h>

namespace blip {

// x: contiguous [..., W], fp32 or bf16; bias [W] of the same type. The sum is not rounded before GELU is taken.
at::Tensor bias_gelu(const at::Tensor& x, const at::Tensor& bias);
// The gradient of x; that of the bias, its sum over rows, is added to into_bias, fp32 [W].
at::Tensor bias_gelu_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& bias,
                              const at::Tensor& into_bias);

}    // namespace blip

// What adds sums over rows to fp32 gradients, in a fixed order: kernels of a step that also give a bias its gradient.
// Used by model on GPUs; LibTorch's operators are faster on the CPU, where these run as a reference for tests. Legend:
// W width, B batch, h heads, T tokens, d width of a head, P parts.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace blip {

// into[j] += the sum over all rows of rows[..., j]. rows: contiguous, fp32 or bf16 [..., W]; into: fp32 [W].
void add_column_sums(const at::Tensor& rows, const at::Tensor& into);

// gelu(x + bias) with the exact GELU. x: contiguous [..., W], fp32 or bf16; bias [W] of the same type. The sum is not
// rounded before GELU is taken.
at::Tensor bias_gelu(const at::Tensor& x, const at::Tensor& bias);
// The gradient of x; that of the bias, its sum over rows, is added to into_bias, fp32 [W].
at::Tensor bias_gelu_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& bias,
                              const at::Tensor& into_bias);

// The gradient of a joined projection out of those of its one to three parts by head: [B, T, P * h * d], contiguous, of
// the parts [B, h, T, d] in order. They have one size, one type, fp32 or bf16, and any strides. The sums over rows are
// added to into_bias, fp32 [P * h * d].
at::Tensor stacked_heads(const std::vector<at::Tensor>& parts_BhTd, const at::Tensor& into_bias);

}    // namespace blip

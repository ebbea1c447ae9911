// Sums over rows, added to fp32 gradients in a fixed order. Used by model, for gradients of biases.
#pragma once

#include <ATen/core/Tensor.h>

namespace blip {

// into[j] += the sum over all rows of rows[..., j]. rows: contiguous, fp32 or bf16 [..., W]; into: fp32 [W]. On a GPU,
// or (a reference, for tests) on the CPU.
void add_column_sums(const at::Tensor& rows, const at::Tensor& into);

}    // namespace blip

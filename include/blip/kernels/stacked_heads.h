// The gradient of a joined projection out of those of its parts by head, and its bias' gradient in the same pass. Used
// by model on GPUs; LibTorch's operators are faster on the CPU, where this runs as a reference for tests. Legend: B
// batch, h heads, T tokens, d width of a head, P parts.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace blip {

inline constexpr std::size_t most_stacked_parts = 3;

// [B, T, P * h * d], contiguous: the parts [B, h, T, d] in order. They have one size, one type, fp32 or bf16, and any
// strides. The sums over rows are added to into_bias, fp32 [P * h * d].
at::Tensor stacked_heads(const std::vector<at::Tensor>& parts_BhTd, const at::Tensor& into_bias);

}    // namespace blip

// Products of matrices on any device, by the fastest of LibTorch's libraries. Used by model and matrix_peak. Legend: R
// rows, I inputs, O outputs.
#pragma once

#include <ATen/core/Tensor.h>

namespace blip {

// x times the transposed weight, plus the bias where it is defined: at::linear. x: [..., I]; weight: [O, I], of any
// strides; bias: [O]; all of one type. On the CPU fp32 products that are large or of a few rows, where no graph is
// recorded, are made by oneDNN (if LibTorch has it) in place of MKL: on AMD's processors it reaches a tenth more, with
// the vocabulary's 30,524 outputs or a few rows up to twice as much. The two differ by rounding; which one is asked
// depends on the sizes alone.
at::Tensor linear_product(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias = {});

}    // namespace blip

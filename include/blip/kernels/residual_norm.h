// What ends a branch of the network, in one kernel: the bias of the branch's last product, dropout or stochastic depth,
// the residual connection, and LayerNorm (Ba et al. 2016) of the sum. Used by model on GPUs; on the CPU it runs as a
// reference for tests. Legend: R rows, W width.
#pragma once

#include <ATen/core/Tensor.h>

#include "blip/kernels/dropout.h"

namespace blip {

// What the branch is multiplied with before it is added. At most one of the two.
struct BranchScaling {
    DropoutDraw dropout;
    at::Tensor picture_scales_I;    // fp32 [I], for R / I rows each; undefined: none
};

// All but mean and inverse_std, fp32 [R], have the shape and type of x.
struct NormedSum {
    at::Tensor sum;    // residual + scaling * (x + bias), rounded
    at::Tensor y;      // LayerNorm(sum) * gamma + beta
    at::Tensor mean, inverse_std;
};
// x, residual: contiguous [..., W], fp32 or bf16; bias, gamma, beta [W] of the same type.
NormedSum residual_norm(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& residual,
                        const at::Tensor& gamma, const at::Tensor& beta, double epsilon, const BranchScaling& scaling);

// Where the gradients of the parameters are added: fp32 [W] each.
struct NormGradientSums {
    at::Tensor gamma, beta, bias;
};
struct NormGradients {
    at::Tensor residual, x;    // one and the same tensor where nothing scales
};
// dsum: gradient of the sum from elsewhere, or undefined.
NormGradients residual_norm_backward(const at::Tensor& dy, const at::Tensor& dsum, const NormedSum& forward,
                                     const at::Tensor& gamma, const BranchScaling& scaling,
                                     const NormGradientSums& into);

}    // namespace blip

// The fused kernels (kernels/residual_norm.h and its neighbours) with gradients. Those of parameters are added where
// the parameters keep them (leaf_gradient.h); where no graph is recorded the kernels are simply called. On GPUs; on the
// CPU for tests, as the kernels. Internal to the model layer.
#pragma once

#include <ATen/core/Tensor.h>

#include "blip/kernels/residual_norm.h"

namespace blip {

struct SumAndNorm {
    at::Tensor sum, normed;
};
// sum = residual + scaling * (x + bias); normed = LayerNorm(sum) * gamma + beta. bias, gamma and beta are leaves.
SumAndNorm fused_residual_norm(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& residual,
                               const at::Tensor& gamma, const at::Tensor& beta, double epsilon,
                               const BranchScaling& scaling);

// gelu(x + bias). bias is a leaf.
at::Tensor fused_bias_gelu(const at::Tensor& x, const at::Tensor& bias);

// dropout(softmax(scale * scores)), of a causal mask where asked for.
at::Tensor fused_probabilities(const at::Tensor& scores, double scale, bool causal, const DropoutDraw& dropout);

}    // namespace blip

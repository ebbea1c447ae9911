// The fused kernels (kernels/residual_norm.h and its neighbours) with gradients. Those of parameters are added where
// the parameters keep them (leaf_gradient.h); where no graph is recorded the kernels are simply called. On GPUs; on the
// CPU for tests, as the kernels. Internal to the model layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "blip/kernels/residual_norm.h"
#include "blip/model/layers.h"

namespace blip {

// sum = residual + scaling * (x + bias); normed = LayerNorm(sum) * gamma + beta. bias, gamma and beta are leaves.
BranchEnd fused_residual_norm(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& residual,
                              const at::Tensor& gamma, const at::Tensor& beta, double epsilon,
                              const BranchScaling& scaling);

// gelu(x + bias). bias is a leaf.
at::Tensor fused_bias_gelu(const at::Tensor& x, const at::Tensor& bias);

// dropout(softmax(scale * scores)), of a causal mask where asked for. real_keys: see kernels/attention_probabilities.h.
at::Tensor fused_probabilities(const at::Tensor& scores, double scale, bool causal, const DropoutDraw& dropout,
                               std::int64_t real_keys = 0);

// Linear::by_head of one to three parts. weight and bias are leaves that require gradients. In linear.cpp.
std::vector<at::Tensor> fused_by_head(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                      std::int64_t parts, std::int64_t heads, HeadMemory memory);

}    // namespace blip

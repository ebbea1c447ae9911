// Gradient checkpointing (Chen et al. 2016): what a part of the network computed on the way to its result is dropped
// after the forward pass and computed again in backward. Used by model/vision_encoder.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <functional>

namespace blip {

// function(x), of which only x is kept for backward. function must be pure (the same x gives the same bits: dropout's
// masks are keyed, stochastic depth's scales are drawn before) and own what it captures until backward is through.
// Leaves that it uses get their gradients as they would without recomputation, bit for bit: they are accumulated once a
// backward pass, in the same order, and their post-accumulate hooks run. Where no gradient is asked for, or x has none,
// it is simply called.
at::Tensor recomputed(const std::function<at::Tensor(const at::Tensor&)>& function, const at::Tensor& x);

// The same of a part with two inputs and two outputs.
using TensorPair = std::array<at::Tensor, 2>;
TensorPair recomputed(const std::function<TensorPair(const TensorPair&)>& function, const TensorPair& x);

}    // namespace blip

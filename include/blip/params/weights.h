// What the arena gives to a network: a tensor for each parameter.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace blip {

using Weights = std::vector<at::Tensor>;    // by ParamId

}    // namespace blip

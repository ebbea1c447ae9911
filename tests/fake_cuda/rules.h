// What the real device's libraries refuse in LibTorch 2.11 with CUDA 13.0, where the CPU kernels that stand in for them
// do not. Each rule names its source.
#pragma once

#include <ATen/core/stack.h>

#include <string>

namespace blip::fake_cuda {

// Throws as LibTorch would. arguments: of the operator, as they were given.
void check_rules(const std::string& name, const std::vector<c10::IValue>& arguments);

// Which attention kernel LibTorch's CUDA dispatch would choose (sdp_utils.cpp) on a GPU like H100.
int chosen_attention(const at::Tensor& query, const at::Tensor& key, double dropout);

}    // namespace blip::fake_cuda

// Results of operators by their shapes alone, while the device does not compute (record.h). Internal to the pretended
// device.
#pragma once

#include <ATen/core/stack.h>

#include <cstddef>
#include <string>

namespace blip::fake_cuda {

// Takes the arguments, tensors of the host, from the stack and puts results there whose values are anything: as the
// operator's CUDA form gives them. false, with the stack as it was, for an operator whose shapes are not known here.
bool results_without_values(const std::string& name, std::size_t arguments, torch::jit::Stack& stack);

}    // namespace blip::fake_cuda

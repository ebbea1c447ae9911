// How an operator of the pretended device borrows its CPU kernel. Internal to the pretended device.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/boxing/KernelFunction.h>
#include <ATen/core/stack.h>

namespace blip::fake_cuda {

// The same memory as the CPU sees it.
at::Tensor on_host(const at::Tensor& device_tensor);
// A tensor of the device with the values and strides of a host's; what is not a host's tensor is given back as it is.
at::Tensor on_device(const at::Tensor& host_tensor, c10::DeviceIndex device, const char* what);
// One that is empty, of the sizes and strides.
at::Tensor empty_on_device(at::IntArrayRef sizes, at::IntArrayRef strides, at::ScalarType type,
                           c10::DeviceIndex device);

// Runs the operator's CPU kernel on the memory of the device's tensors.
void run_on_host_kernel(const c10::OperatorHandle& op, torch::jit::Stack* stack);

}    // namespace blip::fake_cuda

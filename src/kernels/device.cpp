// See device.h. Only LibTorch's device-independent interfaces are used, so that a build without CUDA compiles it too.
#include "blip/kernels/device.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace blip {

namespace {
using Clock = std::chrono::steady_clock;
c10::Stream current_stream(c10::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }
}    // namespace

void set_numerics(const DeviceNumerics& numerics) {
    at::Context& context = at::globalContext();
    context.setAllowTF32CuBLAS(numerics.allow_tf32);
    context.setAllowTF32CuDNN(numerics.allow_tf32);
    // Products of bf16 add up in fp32 to the end. Split-K, which does so too, must stay allowed: cuBLAS refuses every
    // bf16 product otherwise.
    context.setAllowBF16ReductionCuBLAS(false);
    context.setBenchmarkCuDNN(false);
    context.setDeterministicCuDNN(numerics.deterministic);
    context.setDeterministicAlgorithms(numerics.deterministic, false);
    // It would write every new tensor once more.
    context.setDeterministicFillUninitializedMemory(false);
    // The backward passes of these two attention kernels add up in an order that varies.
    context.setSDPUseMemEfficient(!numerics.deterministic);
    context.setSDPUseCuDNN(!numerics.deterministic);
}

void use_device(c10::Device device) {
    if (device.is_cuda()) c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
}

void* compute_stream(c10::Device device) { return device.is_cuda() ? current_stream(device).native_handle() : nullptr; }

at::Tensor staging_tensor(at::IntArrayRef shape, at::ScalarType type, c10::Device device) {
    return at::empty(shape, at::TensorOptions().dtype(type).pinned_memory(device.is_cuda()));
}

at::Tensor to_device(const at::Tensor& host, c10::Device device) {
    return device.is_cuda() ? host.to(device, host.scalar_type(), /*non_blocking=*/true) : host;
}

at::Tensor to_device(const std::vector<std::int64_t>& values, at::IntArrayRef shape, c10::Device device) {
    const at::Tensor host = staging_tensor(shape, at::kLong, device);
    std::copy(values.begin(), values.end(), static_cast<std::int64_t*>(host.data_ptr()));
    return to_device(host, device);
}

struct DevicePoint::Impl {
    c10::Device device;
    Clock::time_point time{};
    std::optional<c10::Event> event;
};

DevicePoint::DevicePoint(c10::Device device) : impl_(new Impl{device, {}, {}}) {
    if (device.is_cuda()) impl_->event.emplace(device.type(), c10::EventFlag::BACKEND_DEFAULT);
}
DevicePoint::~DevicePoint() = default;
DevicePoint::DevicePoint(DevicePoint&&) noexcept = default;
DevicePoint& DevicePoint::operator=(DevicePoint&&) noexcept = default;

void DevicePoint::record() {
    impl_->time = Clock::now();
    if (impl_->event) impl_->event->record(current_stream(impl_->device));
}

bool DevicePoint::reached() const { return !impl_->event || impl_->event->query(); }

double DevicePoint::ms_since(const DevicePoint& earlier) const {
    if (impl_->event) return earlier.impl_->event->elapsedTime(*impl_->event);
    return std::chrono::duration<double, std::milli>(impl_->time - earlier.impl_->time).count();
}

}    // namespace blip

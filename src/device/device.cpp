// See device.h. Only LibTorch's device-independent interfaces are used, so that a build without CUDA compiles it too.
#include "blip/device/device.h"

#include <ATen/Context.h>
#include <ATen/SDPBackend.h>
#include <ATen/ops/empty.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/util/env.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace blip {

namespace {
c10::Stream current_stream(c10::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

void set_attention(const DeviceNumerics& numerics) {
    using at::SDPBackend;
    at::Context& context = at::globalContext();
    std::vector<SDPBackend> order = {SDPBackend::flash_attention, SDPBackend::efficient_attention, SDPBackend::math};
    order.insert(numerics.cudnn_attention ? order.begin() : order.end(), SDPBackend::cudnn_attention);
    // Refuses to run; behind the plain kernel, which takes everything, it is never asked.
    order.push_back(SDPBackend::overrideable);
    std::vector<std::int64_t> numbers;
    for (const SDPBackend backend : order) numbers.push_back(static_cast<std::int64_t>(backend));
    context.setSDPPriorityOrder(numbers);
    // The backward passes of these two add up in an order that varies.
    context.setSDPUseMemEfficient(!numerics.deterministic);
    context.setSDPUseCuDNN(!numerics.deterministic);
    context.setSDPUseFlash(true);
    context.setSDPUseMath(true);
}
}    // namespace

void set_numerics(const DeviceNumerics& numerics) {
    at::Context& context = at::globalContext();
    context.setAllowTF32CuBLAS(numerics.allow_tf32);
    context.setAllowTF32CuDNN(numerics.allow_tf32);
    // Products of bf16 add up in fp32 to the end. Split-K stays allowed: its parts are fp32 too, and cuBLAS' path of
    // LibTorch refuses every product of bf16 without it.
    context.setAllowBF16ReductionCuBLAS(/*allow_reduced_precision=*/false, /*allow_splitk=*/true);
    context.setBenchmarkCuDNN(false);
    context.setDeterministicCuDNN(numerics.deterministic);
    context.setDeterministicAlgorithms(numerics.deterministic, false);
    // It would write every new tensor once more.
    context.setDeterministicFillUninitializedMemory(false);
    set_attention(numerics);
}

// Before 9.15.1 cuDNN was wrong for lengths that are no multiple of 128; the variable is a person's way to do without.
// LibTorch 2.11 asks the same when attention first runs, and where all of it holds puts cuDNN first by itself: another
// answer here would not last.
bool cudnn_attention_is_best(int gpu_generation) {
    const bool made_for = gpu_generation == 9 || gpu_generation == 10;
    return made_for && at::Context::hasCuDNN() && at::Context::versionRuntimeCuDNN() > 91500 &&
           c10::utils::check_env("TORCH_CUDNN_SDPA_DEPRIORITIZED") != true;
}

std::string attention_order(at::ScalarType type) {
    at::Context& context = at::globalContext();
    const bool half = type == at::kBFloat16 || type == at::kHalf;    // all that the first two take
    std::vector<std::string> names;
    for (const at::SDPBackend backend : context.sDPPriorityOrder()) {
        if (backend == at::SDPBackend::cudnn_attention && context.userEnabledCuDNNSDP() && half)
            names.push_back("cuDNN");
        if (backend == at::SDPBackend::flash_attention && context.userEnabledFlashSDP() && half)
            names.push_back("Flash");
        if (backend == at::SDPBackend::efficient_attention && context.userEnabledMemEfficientSDP())
            names.push_back("efficient");
        if (backend == at::SDPBackend::math && context.userEnabledMathSDP()) {
            names.push_back("plain");
            break;    // it takes everything
        }
    }
    return fmt::format("{}", fmt::join(names, ", "));
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

DevicePoint::DevicePoint(c10::Device device) : device_(device) {
    if (device.is_cuda()) event_.emplace(device.type(), c10::EventFlag::BACKEND_DEFAULT);
}

void DevicePoint::record() {
    time_ = std::chrono::steady_clock::now();
    if (event_) event_->record(current_stream(device_));
}

double DevicePoint::ms_since(const DevicePoint& earlier) const {
    if (event_) return earlier.event_->elapsedTime(*event_);
    return std::chrono::duration<double, std::milli>(time_ - earlier.time_).count();
}

}    // namespace blip

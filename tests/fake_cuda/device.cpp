// The pretended device's streams and events as LibTorch's device guard, and its CUDA hooks. Work is done when it is
// queued; what an event orders is kept by its clock (order.h).
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <string>

#include "tests/fake_cuda/copies.h"
#include "tests/fake_cuda/order.h"

namespace blip::fake_cuda {
namespace {

thread_local int device_now = 0;
thread_local c10::StreamId stream_now[device_count] = {};
std::atomic<bool> has_context[device_count] = {};

// As c10::cuda::SetDevice: cudaSetDevice makes a context, but is not called for the device that the thread has.
void go_to(int device) {
    if (device != device_now) has_context[device] = true;
    device_now = device;
}

struct Event {
    long point = 0;
    int asked = 0;
    bool timed = false;
    std::chrono::steady_clock::time_point time;
    Clock clock;
};
Event& event_of(void* event) { return *static_cast<Event*>(event); }

// Waits of the host, through an event, a stream or the device.
void host_waited(const Event& event) {
    reached(event.point);
    host_waited_for(event.clock);
}

// LibTorch's guard goes to an event's device and then back to the thread's by cudaSetDevice, which since CUDA 12 makes
// a context there: half a GiB of another rank's GPU, where the thread never chose its own
// (c10/cuda/impl/CUDAGuardImpl.h).
void check_thread(c10::DeviceIndex device) {
    if (device < 0 || device == device_now) return;
    has_context[device_now] = true;
    violation("a thread of GPU " + std::to_string(device_now) + " uses an event of GPU " + std::to_string(device) +
              ": a context on each");
}

c10::Stream made(c10::Device device, c10::StreamId id) { return c10::Stream(c10::Stream::UNSAFE, device, id); }

struct Guard final : c10::impl::DeviceGuardImplInterface {
    c10::DeviceType type() const override { return c10::kCUDA; }
    c10::Device exchangeDevice(c10::Device device) const override {
        const c10::Device before = getDevice();
        setDevice(device);
        return before;
    }
    c10::Device getDevice() const override { return {c10::kCUDA, static_cast<c10::DeviceIndex>(device_now)}; }
    void setDevice(c10::Device device) const override {
        TORCH_CHECK(device.is_cuda() && device.index() >= 0 && device.index() < device_count, "no such GPU: ", device);
        go_to(device.index());
    }
    // c10::cuda::MaybeSetDevice: without a context the thread only remembers it.
    void uncheckedSetDevice(c10::Device device) const noexcept override { device_now = device.index(); }
    c10::Stream getStream(c10::Device device) const override {
        const int index = device.index() < 0 ? device_now : device.index();
        return made(c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index)), stream_now[index]);
    }
    c10::Stream getDefaultStream(c10::Device device) const override { return made(device, 0); }
    c10::Stream getStreamFromGlobalPool(c10::Device device, bool) const override {
        static std::atomic<int> handed_out{0};
        return made(device, 1 + handed_out++ % 32);    // the real pool has 32, too
    }
    c10::Stream exchangeStream(c10::Stream stream) const override {
        const c10::Stream before = getStream(stream.device());
        stream_now[stream.device_index()] = stream.id();
        return before;
    }
    void* getStreamNativeHandle(const c10::Stream stream) const override {
        return reinterpret_cast<void*>(static_cast<std::intptr_t>(stream_of(stream)));
    }
    void destroyEvent(void* event, const c10::DeviceIndex device) const noexcept override {
        if (event != nullptr) check_thread(device);
        delete static_cast<Event*>(event);
    }
    void record(void** event, const c10::Stream& stream, const c10::DeviceIndex,
                const c10::EventFlag flag) const override {
        check_thread(stream.device_index());
        ask_device();
        if (*event == nullptr) *event = new Event;
        event_of(*event) = {point_in_queue(), 0, flag == c10::EventFlag::BACKEND_DEFAULT,
                            std::chrono::steady_clock::now(), clock_of(stream_of(stream))};
    }
    void block(void* event, const c10::Stream& stream) const override {
        static const bool does_not_wait = planted("no_block");
        if (event != nullptr && !does_not_wait) wait_for(stream_of(stream), event_of(event).clock);
    }
    bool queryEvent(void* event) const override {
        if (event == nullptr) return true;
        ask_device();
        // Who asks only once comes too early.
        if (!is_reached(event_of(event).point) && ++event_of(event).asked < 4) return false;
        host_waited(event_of(event));
        return true;
    }
    bool queryStream(const c10::Stream& stream) const override {
        reached_everything();
        host_waited_for(clock_of(stream_of(stream)));
        return true;
    }
    void synchronizeStream(const c10::Stream& stream) const override {
        host_waits("synchronise a stream");
        queryStream(stream);
    }
    void synchronizeEvent(void* event) const override {
        host_waits("synchronise an event");
        host_waited(event_of(event));
    }
    void synchronizeDevice(const c10::DeviceIndex) const override {
        host_waits("synchronise the device");
        reached_everything();
        host_waited_for_the_device();
    }
    double elapsedTime(void* first, void* second, const c10::DeviceIndex) const override {
        TORCH_CHECK(event_of(first).timed && event_of(second).timed, "events that were made without times");
        TORCH_CHECK(is_reached(event_of(first).point) && is_reached(event_of(second).point),
                    "the time of an event that was not reached yet");
        return std::chrono::duration<double, std::milli>(event_of(second).time - event_of(first).time).count();
    }
    c10::DeviceIndex deviceCount() const noexcept override { return device_count; }
};

c10::impl::DeviceGuardImplRegistrar registrar(c10::kCUDA, new Guard);

}    // namespace

int current_device() { return device_now; }
void need_context() { has_context[device_now] = true; }
long context_count() { return std::count(std::begin(has_context), std::end(has_context), true); }
StreamKey stream_of(const c10::Stream& stream) { return streams_of_a_device * stream.device_index() + stream.id(); }
StreamKey current_stream() { return streams_of_a_device * device_now + stream_now[device_now]; }
StreamKey stream_of(void* handle) {
    return handle == nullptr ? streams_of_a_device * device_now
                             : static_cast<StreamKey>(reinterpret_cast<std::intptr_t>(handle));
}
void host_waits_for_stream(const char* why) {
    host_waits(why);
    reached_everything();
    host_waited_for(clock_of(current_stream()));
}
void choose_device(int device) { Guard().setDevice(c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device))); }

struct Hooks final : at::CUDAHooksInterface {
    explicit Hooks(at::CUDAHooksArgs) {}
    void init() const override {}
    bool hasCUDA() const override { return true; }
    bool isBuilt() const override { return true; }
    bool isAvailable() const override { return true; }
    bool hasPrimaryContext(c10::DeviceIndex device) const override { return has_context[device]; }
    bool hasCuBLASLt() const override { return true; }
    bool hasCuDNN() const override { return true; }
    bool compiledWithCuDNN() const override { return true; }
    long versionCuDNN() const override { return 91900; }    // of the wheels that the set-up installs
    long versionRuntimeCuDNN() const override { return versionCuDNN(); }
    c10::Allocator* getPinnedMemoryAllocator() const override { return page_locked_allocator(); }
    bool isPinnedPtr(const void* memory) const override { return is_page_locked(memory); }
    int getNumGPUs() const override { return device_count; }
    c10::DeviceIndex deviceCount() const override { return device_count; }
    c10::DeviceIndex current_device() const override { return static_cast<c10::DeviceIndex>(device_now); }
    c10::DeviceIndex getCurrentDevice() const override { return current_device(); }
    void setCurrentDevice(c10::DeviceIndex device) const override { choose_device(device); }
    c10::DeviceIndex exchangeDevice(c10::DeviceIndex device) const override {
        const c10::DeviceIndex before = current_device();
        choose_device(device);
        return before;
    }
    c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex device) const override {
        const c10::DeviceIndex before = current_device();
        Guard().uncheckedSetDevice(c10::Device(c10::kCUDA, device));
        return before;
    }
};

}    // namespace blip::fake_cuda

namespace at {
// The name under which LibTorch looks for them.
using CUDAHooks = blip::fake_cuda::Hooks;
REGISTER_CUDA_HOOKS(CUDAHooks)
}    // namespace at

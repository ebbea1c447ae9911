// See fakes.h. Every piece of work takes a millisecond before it starts, so that whoever does not wait comes too early.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/nccl/fakes.h"

namespace {

constexpr auto kDelay = std::chrono::milliseconds(1);
thread_local int device = -1;
thread_local cudaError_t last_error = cudaSuccess;
std::atomic<int> allocations{0};

cudaError_t say(cudaError_t result) {
    if (result != cudaSuccess) last_error = result;
    return result;
}

class Stream {
  public:
    Stream() : thread_([this] { run(); }) { thread_.detach(); }
    void put(std::function<void()> work) {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(work));
        ++waiting_;
        changed_.notify_all();
    }
    bool idle() {
        const std::lock_guard lock(mutex_);
        return waiting_ == 0;
    }
    void drain() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return waiting_ == 0; });
    }

  private:
    void run() {
        for (;;) {
            std::function<void()> work;
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [&] { return !queue_.empty(); });
                work = std::move(queue_.front());
                queue_.pop_front();
            }
            std::this_thread::sleep_for(kDelay);
            work();
            const std::lock_guard lock(mutex_);
            --waiting_;
            changed_.notify_all();
        }
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> queue_;
    int waiting_ = 0;
    std::thread thread_;
};

// Streams are never deleted: their threads may be at work.
Stream& stream_of(cudaStream_t handle) {
    static Stream* const default_stream = new Stream;
    return handle == nullptr ? *default_stream : *reinterpret_cast<Stream*>(handle);
}

// Counts how often it was recorded and reached; a wait is for the records made before it.
struct Marks {
    std::mutex mutex;
    std::condition_variable changed;
    int recorded = 0, reached = 0;
};
struct Event {
    std::shared_ptr<Marks> marks = std::make_shared<Marks>();
};
Event& event_of(cudaEvent_t handle) { return *reinterpret_cast<Event*>(handle); }

}    // namespace

namespace blip::fakes {
void enqueue(cudaStream_t stream, std::function<void()> work) { stream_of(stream).put(std::move(work)); }
void* host_memory(void* device_memory, std::size_t, bool, cudaStream_t) { return device_memory; }
int living_allocations() { return allocations; }
}    // namespace blip::fakes

// How tests know that they run on the fake.
extern "C" const int blip_fake_cudart = 1;

#define NEEDS_DEVICE \
    if (device < 0) return say(cudaErrorDeviceUninitialized)

extern "C" {

cudaError_t cudaSetDevice(int number) {
    if (number < 0 || number >= 8) return say(cudaErrorInvalidDevice);
    device = number;
    return cudaSuccess;
}
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : "a fake device's error";
}
const char* cudaGetErrorName(cudaError_t) { return "cudaErrorOfTheFake"; }

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    NEEDS_DEVICE;
    // Aligned as little as promised, and dirty.
    char* base = bytes < (std::size_t{1} << 40)
                     ? static_cast<char*>(std::aligned_alloc(512, (bytes + 1535) / 512 * 512))
                     : nullptr;
    if (base == nullptr) return say(cudaErrorMemoryAllocation);
    std::memset(base, 0xab, bytes + 512);
    *memory = base + 512;
    ++allocations;
    return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
    NEEDS_DEVICE;
    std::free(static_cast<char*>(memory) - 512);
    --allocations;
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    NEEDS_DEVICE;
    *free = 3 << 20;
    *total = 7 << 20;
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
    NEEDS_DEVICE;
    stream_of(stream).put([=] { std::memset(memory, value, bytes); });
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
    NEEDS_DEVICE;
    stream_of(stream).put([=] { std::memcpy(to, from, bytes); });
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    NEEDS_DEVICE;
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
    NEEDS_DEVICE;
    *stream = reinterpret_cast<cudaStream_t>(new Stream);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    NEEDS_DEVICE;
    return stream_of(stream).idle() ? cudaSuccess : say(cudaErrorNotReady);
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    NEEDS_DEVICE;
    stream_of(stream).drain();
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    NEEDS_DEVICE;
    const auto marks = event_of(event).marks;
    const std::lock_guard lock(marks->mutex);
    stream_of(stream).put([marks, until = marks->recorded] {
        std::unique_lock inner(marks->mutex);
        marks->changed.wait(inner, [&] { return marks->reached >= until; });
    });
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    NEEDS_DEVICE;
    *event = reinterpret_cast<cudaEvent_t>(new Event);
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete &event_of(event);
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    NEEDS_DEVICE;
    const auto marks = event_of(event).marks;
    const std::lock_guard lock(marks->mutex);
    stream_of(stream).put([marks, mark = ++marks->recorded] {
        const std::lock_guard inner(marks->mutex);
        marks->reached = std::max(marks->reached, mark);
        marks->changed.notify_all();
    });
    return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
    NEEDS_DEVICE;
    const auto marks = event_of(event).marks;
    const std::lock_guard lock(marks->mutex);
    return marks->reached >= marks->recorded ? cudaSuccess : say(cudaErrorNotReady);
}

}    // extern "C"

// The CUDA runtime's functions that the program calls, on the pretended device, and what tests/nccl/fake_nccl.cpp needs
// of it. A stream of the runtime is a thread with a queue, as its collectives meet those of other ranks; LibTorch's
// streams do their work at once. Order between the two is kept by the clocks (order.h).
#include <cuda_runtime_api.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "tests/fake_cuda/copies.h"
#include "tests/fake_cuda/order.h"
#include "tests/nccl/fakes.h"

namespace blip::fake_cuda {

void choose_device(int device);

namespace {

class Queue {
  public:
    Queue() {
        std::thread([this] { run(); }).detach();
    }
    void put(std::function<void()> work) {
        const std::lock_guard lock(mutex_);
        work_.push_back(std::move(work));
        ++put_;
        changed_.notify_all();
    }
    long last() {
        const std::lock_guard lock(mutex_);
        return put_;
    }
    bool through(long number) {
        const std::lock_guard lock(mutex_);
        return done_ >= number;
    }
    void wait_for(long number) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return done_ >= number; });
    }

  private:
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return !work_.empty(); });
            const std::function<void()> work = std::move(work_.front());
            work_.pop_front();
            lock.unlock();
            work();
            lock.lock();
            ++done_;
            changed_.notify_all();
        }
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> work_;
    long put_ = 0, done_ = 0;
};

constexpr StreamKey first_of_runtime = 5000;
std::mutex queues_mutex;
std::map<StreamKey, std::unique_ptr<Queue>>& queues() {
    static auto* const all = new std::map<StreamKey, std::unique_ptr<Queue>>;    // never deleted: threads use them
    return *all;
}
// Null for LibTorch's streams.
Queue* queue_of(cudaStream_t stream) {
    const std::lock_guard lock(queues_mutex);
    const auto found = queues().find(stream_of(stream));
    return found == queues().end() ? nullptr : found->second.get();
}

struct Event {
    Queue* queue = nullptr;
    long number = 0;
    Clock clock;
};
Event& event_of(cudaEvent_t event) { return *reinterpret_cast<Event*>(event); }

thread_local cudaError_t last_error = cudaSuccess;
cudaError_t say(cudaError_t result) {
    if (result != cudaSuccess) last_error = result;
    return result;
}

}    // namespace
}    // namespace blip::fake_cuda

namespace blip::fakes {

void enqueue(cudaStream_t stream, std::function<void()> work) {
    ++fake_cuda::counts().collectives;
    fake_cuda::Queue* queue = fake_cuda::queue_of(stream);
    TORCH_CHECK(queue != nullptr, "a collective on LibTorch's stream");
    queue->put(std::move(work));
}
void* host_memory(void* device_memory, std::size_t bytes, bool written, cudaStream_t stream) {
    fake_cuda::touch(device_memory, bytes, written, fake_cuda::stream_of(stream), "a collective");
    return fake_cuda::host_address(device_memory);
}

}    // namespace blip::fakes

extern "C" {
using namespace blip::fake_cuda;

cudaError_t cudaSetDevice(int number) {
    if (number < 0 || number >= device_count) return say(cudaErrorInvalidDevice);
    choose_device(number);
    return cudaSuccess;
}
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
const char* cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : "an error of the pretended device";
}
const char* cudaGetErrorName(cudaError_t error) {
    return error == cudaErrorInvalidDevice ? "cudaErrorInvalidDevice" : "cudaErrorOfTheFake";
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
    *memory = allocate(bytes, /*without_stream=*/true);
    return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
    release(memory);
    return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = std::size_t{60} << 30;
    *total = std::size_t{64} << 30;
    return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
    touch(memory, bytes, true, stream_of(stream), "cudaMemsetAsync");
    std::memset(host_address(memory), value, bytes);
    return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
    if (Queue* queue = queue_of(stream)) queue->wait_for(queue->last());
    const auto seen = [&](const void* memory, bool written) -> void* {
        if (!is_device_address(memory)) return const_cast<void*>(memory);
        touch(memory, bytes, written, stream_of(stream), "cudaMemcpyAsync");
        return host_address(memory);
    };
    const void* source = seen(from, false);
    std::memcpy(seen(to, true), source, bytes);
    return cudaSuccess;
}

cudaError_t cudaMemset(void* memory, int value, std::size_t bytes) {
    return cudaMemsetAsync(memory, value, bytes, nullptr);
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    static_cast<void>(cudaMemcpyAsync(to, from, bytes, kind, nullptr));
    return cudaStreamSynchronize(nullptr);
}
cudaError_t cudaDeviceSynchronize() {
    host_waits("cudaDeviceSynchronize");
    host_waited_for_the_device();
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
}
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
    const std::lock_guard lock(queues_mutex);
    const StreamKey key =
        streams_of_a_device * current_device() + first_of_runtime + static_cast<StreamKey>(queues().size());
    queues()[key] = std::make_unique<Queue>();
    *stream = reinterpret_cast<cudaStream_t>(key);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    Queue* queue = queue_of(stream);
    if (queue != nullptr && !queue->through(queue->last())) return say(cudaErrorNotReady);
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    host_waits("cudaStreamSynchronize");
    if (Queue* queue = queue_of(stream)) queue->wait_for(queue->last());
    host_waited_for(clock_of(stream_of(stream)));
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t handle, unsigned) {
    const Event event = event_of(handle);
    Queue* const waiting = queue_of(stream);
    static const bool does_not_wait = planted("no_wait");
    if (waiting == nullptr && does_not_wait) return cudaSuccess;
    wait_for(stream_of(stream), event.clock);
    if (event.queue == nullptr || event.queue == waiting) return cudaSuccess;
    const auto wait = [event] { event.queue->wait_for(event.number); };
    waiting != nullptr ? waiting->put(wait) : wait();
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = reinterpret_cast<cudaEvent_t>(new Event);
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete &event_of(event);
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    Queue* queue = queue_of(stream);
    event_of(event) = {queue, queue != nullptr ? queue->last() : 0, clock_of(stream_of(stream))};
    return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t handle) {
    const Event& event = event_of(handle);
    if (event.queue != nullptr && !event.queue->through(event.number)) return say(cudaErrorNotReady);
    host_waited_for(event.clock);
    return cudaSuccess;
}

}    // extern "C"

// See collectives.h. Legend: N ranks. Order on the device:
//   compute stream: ... gradients [ready]                      [waits for done] update ...
//   comm stream:                  [waits for ready] collective [done]
#include "blip/comm/nccl/collectives.h"

#include <nccl.h>

#include <cstdint>
#include <exception>
#include <utility>

#include "blip/base/cuda.h"
#include "blip/base/error.h"
#include "src/comm/nccl/session_cuda.h"

namespace blip {
namespace {

// Memory of an arena. Goes when its owner lets go, which may be after NCCL's end.
struct DeviceBuffer {
    void* base = nullptr;
    bool of_nccl = false;            // from ncclMemAlloc
    void* registration = nullptr;    // null: not registered
};

// What buffers need to the end of their own lives.
struct Shared {
    Shared(const CommOptions& options, int device, HostMessages& host)
        : device(device), session(options, device, host) {}
    int device;
    NcclSession session;
    std::vector<DeviceBuffer*> buffers;    // the living ones
};

void deregister(Shared& shared, DeviceBuffer& buffer) noexcept {
    if (buffer.registration == nullptr || !shared.session.running()) return;
    static_cast<void>(ncclCommDeregister(shared.session.comm(), std::exchange(buffer.registration, nullptr)));
}

// While an error unwinds, memory is left to the end of the process: to free it can mean to wait for a collective whose
// other ranks are gone, and the error would never be told.
void release(Shared& shared, DeviceBuffer* buffer, bool unwinding) noexcept {
    const std::unique_ptr<DeviceBuffer> owned(buffer);
    std::erase(shared.buffers, buffer);
    if (unwinding) return;
    static_cast<void>(cudaSetDevice(shared.device));
    deregister(shared, *buffer);
    static_cast<void>(buffer->of_nccl ? static_cast<int>(ncclMemFree(buffer->base))
                                      : static_cast<int>(cudaFree(buffer->base)));
}

struct NcclWork : Work {
    CudaEvent done;
    std::string what;
};

class NcclCollectives final : public Collectives {
  public:
    NcclCollectives(const CommOptions& options, int device, cudaStream_t compute, HostMessages& host)
        : device_(device),
          compute_(compute),
          shared_(std::make_shared<Shared>(options, device, host)),
          stream_(make_side_stream(true)),
          ready_(make_order_event()) {}

    int rank() const override { return shared_->session.rank(); }
    int size() const override { return shared_->session.size(); }

    std::shared_ptr<void> allocate(std::size_t bytes) override;
    WorkPtr start_reduce_scatter(const float* send, float* receive, std::int64_t count, const char* what) override;
    WorkPtr start_all_gather(void* buffer, std::int64_t bytes, const char* what) override;
    std::vector<WorkPtr> start_all_gathers(std::span<const GatherPart> parts, const char* what) override;
    void wait(WorkPtr work) override;
    void wait_until(const std::function<bool()>& reached, const char* what) override;
    void finish() override;

  private:
    // Also for the threads in which backward runs its hooks.
    NcclSession& running_session(const char* what);
    DeviceBuffer take_memory(std::size_t bytes) const;
    // Puts a collective between ready and done (see above).
    template <class Launch>
    WorkPtr start(const char* what, const Launch& launch);

    int device_;
    cudaStream_t compute_;
    std::shared_ptr<Shared> shared_;
    CudaStream stream_;
    CudaEvent ready_;
    std::vector<CudaEvent> free_events_;
};

NcclSession& NcclCollectives::running_session(const char* what) {
    NcclSession& session = shared_->session;
    if (!session.running())
        throw Error(ExitCode::internal, "rank {} on {}: '{}' after NCCL has ended or failed", rank(), host_name(),
                    what);
    cuda_check(cudaSetDevice(device_), "choose the device");
    return session;
}

// ncclMemAlloc's memory can be read by other GPUs directly; where it cannot be had, any device memory does.
DeviceBuffer NcclCollectives::take_memory(std::size_t bytes) const {
    DeviceBuffer buffer;
    if (ncclMemAlloc(&buffer.base, bytes) == ncclSuccess) {
        buffer.of_nccl = true;
        return buffer;
    }
    static_cast<void>(cudaGetLastError());
    buffer.base = nullptr;
    if (cudaMalloc(&buffer.base, bytes) == cudaSuccess) return buffer;
    static_cast<void>(cudaGetLastError());
    std::size_t free = 0, total = 0;
    static_cast<void>(cudaMemGetInfo(&free, &total));
    constexpr double mib = 1 << 20;
    throw Error(ExitCode::internal,
                "rank {} on {}: no memory for {:.1f} MiB on GPU {} ({:.0f} of {:.0f} MiB are free); use a "
                "smaller --model, more ranks, or a GPU that nobody else uses (nvidia-smi)",
                rank(), host_name(), static_cast<double>(bytes) / mib, device_, static_cast<double>(free) / mib,
                static_cast<double>(total) / mib);
}

std::shared_ptr<void> NcclCollectives::allocate(std::size_t bytes) {
    constexpr std::size_t page = 4096;
    NcclSession& session = running_session("allocate");
    // A page more: cudaMalloc promises less than the contract's alignment.
    const std::size_t length = (bytes + page - 1) / page * page + page;
    auto buffer = std::make_unique<DeviceBuffer>(take_memory(length));
    // Registration makes transfers faster; NCCL works without it.
    const ncclResult_t registered = ncclCommRegister(session.comm(), buffer->base, length, &buffer->registration);
    if (registered == ncclInProgress)
        session.settle(registered, "register memory");
    else if (registered != ncclSuccess)
        buffer->registration = nullptr;
    const auto address = (reinterpret_cast<std::uintptr_t>(buffer->base) + page - 1) / page * page;
    shared_->buffers.push_back(buffer.get());
    std::shared_ptr<void> memory(reinterpret_cast<void*>(address),
                                 [shared = shared_, owned = buffer.release(), exceptions = std::uncaught_exceptions()](
                                     void*) { release(*shared, owned, std::uncaught_exceptions() > exceptions); });
    cuda_check(cudaMemsetAsync(memory.get(), 0, bytes, compute_), "clear new memory");
    cuda_check(cudaStreamSynchronize(compute_), "clear new memory");
    return memory;
}

template <class Launch>
WorkPtr NcclCollectives::start(const char* what, const Launch& launch) {
    NcclSession& session = running_session(what);
    auto work = std::make_unique<NcclWork>();
    work->what = what;
    if (free_events_.empty()) {
        work->done = make_order_event();
    } else {
        work->done = std::move(free_events_.back());
        free_events_.pop_back();
    }
    cuda_check(cudaEventRecord(ready_.get(), compute_), what);
    cuda_check(cudaStreamWaitEvent(stream_.get(), ready_.get(), 0), what);
    session.settle(launch(session.comm(), stream_.get()), what);
    cuda_check(cudaEventRecord(work->done.get(), stream_.get()), what);
    return work;
}

WorkPtr NcclCollectives::start_reduce_scatter(const float* send, float* receive, std::int64_t count, const char* what) {
    return start(what, [&](ncclComm_t comm, cudaStream_t stream) {
        return ncclReduceScatter(send, receive, static_cast<std::size_t>(count), ncclFloat32, ncclSum, comm, stream);
    });
}

WorkPtr NcclCollectives::start_all_gather(void* buffer, std::int64_t bytes, const char* what) {
    const char* own = static_cast<const char*>(buffer) + rank() * bytes;
    return start(what, [&](ncclComm_t comm, cudaStream_t stream) {
        return ncclAllGather(own, buffer, static_cast<std::size_t>(bytes), ncclInt8, comm, stream);
    });
}

// A non-blocking communicator starts a thread for each call outside a group, and one for a group.
std::vector<WorkPtr> NcclCollectives::start_all_gathers(std::span<const GatherPart> parts, const char* what) {
    std::vector<WorkPtr> works;
    if (parts.empty()) return works;
    works.push_back(start(what, [&](ncclComm_t comm, cudaStream_t stream) {
        ncclResult_t result = ncclGroupStart();
        if (result != ncclSuccess) return result;
        for (const GatherPart& part : parts) {
            const char* own = static_cast<const char*>(part.buffer) + rank() * part.bytes;
            result = ncclAllGather(own, part.buffer, static_cast<std::size_t>(part.bytes), ncclInt8, comm, stream);
            if (result != ncclSuccess && result != ncclInProgress) break;
        }
        // Ends the group whatever became of its calls. Its answer counts, but what a call refused comes first.
        const ncclResult_t ended = ncclGroupEnd();
        return result != ncclSuccess && result != ncclInProgress ? result : ended;
    }));
    return works;
}

void NcclCollectives::wait(WorkPtr work) {
    if (!work) return;
    auto& collective = static_cast<NcclWork&>(*work);
    const char* what = collective.what.c_str();
    running_session(what).check(what);
    cuda_check(cudaStreamWaitEvent(compute_, collective.done.get(), 0), what);
    // The wait holds what was recorded: the event may be recorded anew.
    free_events_.push_back(std::move(collective.done));
}

void NcclCollectives::wait_until(const std::function<bool()>& reached, const char* what) {
    running_session(what).poll(reached, what);
}

void NcclCollectives::finish() {
    constexpr const char* what = "end of the last collective";
    NcclSession& session = running_session(what);
    const auto idle = [this] {
        const cudaError_t state = cudaStreamQuery(stream_.get());
        if (state != cudaErrorNotReady) cuda_check(state, what);
        static_cast<void>(cudaGetLastError());
        return state == cudaSuccess;
    };
    session.poll(idle, what);
    for (DeviceBuffer* buffer : shared_->buffers) deregister(*shared_, *buffer);
    session.finish();
}

}    // namespace

std::unique_ptr<Collectives> make_nccl_collectives(const CommOptions& options, int device, void* compute_stream,
                                                   HostMessages& host) {
    cuda_check(cudaSetDevice(device), "choose the device");
    return std::make_unique<NcclCollectives>(options, device, static_cast<cudaStream_t>(compute_stream), host);
}

}    // namespace blip

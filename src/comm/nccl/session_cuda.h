// NCCL's communicator from the first handshake to its end or its failure: no call waits without a deadline. Used by
// collectives_cuda.cpp.
#pragma once

#include <nccl.h>

#include <functional>
#include <string>

#include "blip/comm/communicator.h"
#include "blip/options/options.h"

namespace blip {

class NcclSession {
  public:
    // Collective over host, which must live as long as NCCL runs. The calling thread's device must be `device`.
    NcclSession(const CommOptions& options, int device, HostMessages& host);
    // Frees nothing: NCCL's own ways to free wait for other ranks, or for the device. finish() does, after success.
    ~NcclSession() = default;
    NcclSession(const NcclSession&) = delete;

    int rank() const { return rank_; }
    int size() const { return size_; }
    ncclComm_t comm() const { return comm_; }
    // Between the start and finish() or a failure.
    bool running() const { return state_ == State::running; }

    // For the result of an NCCL call: what it began in the background is through when this returns.
    void settle(ncclResult_t result, const char* what);
    // Throws if NCCL has failed meanwhile.
    void check(const char* what);
    // Polls reached() with back-off, watching NCCL, until --comm-timeout.
    void poll(const std::function<bool()>& reached, const char* what);
    // Collective. No call of this communicator after it.
    void finish();

  private:
    enum class State { starting, running, finished, failed };

    // NCCL's present state; throws unless it is success or in progress.
    ncclResult_t async_state(const char* what);
    std::string describe(ncclResult_t result, const char* what) const;
    [[noreturn]] void fail(ncclResult_t result, const char* what);
    // Stops NCCL's kernels, within a deadline of its own, and sees to it that the process ends.
    void abandon(const std::string& message);

    CommOptions options_;
    HostMessages& host_;
    int device_, rank_, size_;
    ncclComm_t comm_ = nullptr;
    State state_ = State::starting;
};

}    // namespace blip

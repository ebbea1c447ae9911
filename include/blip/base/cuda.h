// CUDA runtime calls that throw, and the handles of streams and events. Included by .cu and *_cuda.cpp files only.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>

#include "blip/base/handle.h"

namespace blip {

// Throws Error(internal) with what was tried and CUDA's own words.
void cuda_check(cudaError_t result, const char* what, std::source_location where = std::source_location::current());

struct CudaStreamTraits {
    using value_type = cudaStream_t;
    static value_type invalid() { return nullptr; }
    static void close(value_type stream) noexcept { static_cast<void>(cudaStreamDestroy(stream)); }
};
// A queue of its own; what is in it when the handle goes is still done.
using CudaStream = Handle<CudaStreamTraits>;

struct CudaEventTraits {
    using value_type = cudaEvent_t;
    static value_type invalid() { return nullptr; }
    static void close(value_type event) noexcept { static_cast<void>(cudaEventDestroy(event)); }
};
using CudaEvent = Handle<CudaEventTraits>;

// On the calling thread's device. A side stream does not wait for the legacy default stream; urgent: its kernels start
// before those of other streams that wait.
CudaStream make_side_stream(bool urgent);
// Points to wait for: without times, which cost more.
CudaEvent make_order_event();

}    // namespace blip

// A CUDA runtime and an NCCL for machines without a GPU, made as shared libraries under the names of the real ones:
// device memory is host memory, a stream is a thread with a queue, ranks exchange files. They keep the promises of the
// real ones and no more: what is queued runs later and slowly, a non-blocking communicator answers ncclInProgress, a
// thread without a device is refused. What goes wrong is asked for in FAKE_NCCL (see fake_nccl.cpp).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <string>

namespace blip::fakes {

// Queues a host function on a stream (null: the default one). Of the fake CUDA runtime.
void enqueue(cudaStream_t stream, std::function<void()> work);
// Where the host finds memory that a collective on the stream reads or writes. Of the runtime: here device memory is
// the host's; the pretended device (tests/fake_cuda) keeps them apart and checks the order.
void* host_memory(void* device_memory, std::size_t bytes, bool written, cudaStream_t stream);
// Device allocations that were not freed.
int living_allocations();

// NCCL calls of this process so far, by name, with spaces between. Of the fake NCCL.
const std::string& nccl_calls();

}    // namespace blip::fakes

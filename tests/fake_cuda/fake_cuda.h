// A pretended CUDA device inside LibTorch's dispatcher, for machines without a GPU: every operator of the device type
// CUDA runs its CPU kernel, and what a real device would punish is seen:
//  - device addresses are not canonical: a host that reads one dies, and so does a "kernel" that is given a host's;
//  - tensors of two devices, or of the host and a device, in one operator are refused;
//  - copies to page-locked memory arrive with an event that was waited for, and until then the memory holds NaN; who
//    changes page-locked memory while it is copied to the device is told of;
//  - streams have vector clocks: memory that two streams use without an order between them, and memory given back while
//    another stream may use it, are violations (order.h);
//  - a thread that never chose its GPU and uses an event of it is a violation: on a real one it takes another's memory;
//  - waits of the host are counted, and are violations in the phases of a training step;
//  - rules.h: what cuBLAS and LibTorch's CUDA operators refuse.
// What it cannot show: the real libraries' own limits beyond those rules, speed, and rounding of other kernels.
// Linked in place of libtorch_cuda, of *.cu objects and of the CUDA runtime. A process that saw a violation exits with
// violation_exit_code. FAKE_CUDA in the environment: words that plant a fault (tests/fake_cuda/device_test.cpp):
//   no_block    a stream does not wait for an event    no_record   record_stream does nothing
//   no_wait     the compute stream does not wait for a collective
//   lost        after some kernels whatever is asked of the device fails, as after an error in a kernel
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace blip::fake_cuda {

inline constexpr int device_count = 2, violation_exit_code = 99;

// ---- streams: numbered over all devices
using StreamKey = long;
inline constexpr StreamKey streams_of_a_device = 10000;
StreamKey current_stream();
StreamKey stream_of(const c10::Stream& stream);
// Of a native handle as LibTorch and the runtime give it.
StreamKey stream_of(void* handle);
int current_device();
// Devices on which this process has a context. need_context: on the current one, as whoever allocates there.
void need_context();
long context_count();

// ---- memory
// The host's address of device memory; throws for anything else.
void* host_address(const void* device_address);
bool is_device_address(const void* address);
// Of the current device, not zeroed, ordered with the current stream; without_stream: as cudaMalloc's, free for any.
void* allocate(std::size_t bytes, bool without_stream = false);
void release(void* device_address);
bool is_page_locked(const void* host_address);

// ---- what happened
// A stream uses memory now. Violations are kept (see below).
void touch(const void* device_address, std::size_t bytes, bool written, StreamKey stream, const char* what);
void touch(const at::Tensor& tensor, bool written, const char* what);
// The host waits for the device: refused where LibTorch's sync debug mode says so, a violation within a training step.
void host_waits(const char* why);
// The same, until the current stream is through.
void host_waits_for_stream(const char* why);
// What a device would have punished, in words; kept until they are taken. Those left at the process' end are told.
std::vector<std::string> take_violations();
void violation(const std::string& text);
bool planted(const char* fault);
// Throws as LibTorch does once the device is lost.
void ask_device();

struct Counts {
    std::atomic<long> kernels{0}, host_waits{0}, waits_in_steps{0}, copies_to_host_behind_events{0}, collectives{0},
        checked_accesses{0};
};
Counts& counts();

}    // namespace blip::fake_cuda

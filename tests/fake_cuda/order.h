// Who used which device memory in which order: vector clocks over streams (Fidge, Mattern 1988). A stream's clock holds
// for each stream the time up to which it is known to be through; events carry clocks from stream to stream.
#pragma once

#include <cstddef>
#include <map>

#include "tests/fake_cuda/fake_cuda.h"

namespace blip::fake_cuda {

using Clock = std::map<StreamKey, long>;

// The stream's clock now, as an event recorded in it holds it.
Clock clock_of(StreamKey stream);
// The stream waits for an event with that clock. The host: everything that is queued from now on comes behind it.
void wait_for(StreamKey stream, const Clock& event);
void host_waited_for(const Clock& event);
void host_waited_for_the_device();

// without_stream: memory that no stream owns.
void memory_made(const void* address, std::size_t bytes, StreamKey stream, bool without_stream);
// Tells of streams that may still use it.
void memory_given_back(const void* address);
// Whether use_recorded was called for it.
bool is_use_recorded(const void* address);
// The owner will wait for the stream before it gives the memory to somebody else.
void use_recorded(const void* address, StreamKey stream);

}    // namespace blip::fake_cuda

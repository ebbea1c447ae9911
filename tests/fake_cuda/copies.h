// Copies between page-locked memory and the device that the host does not wait for, and the allocators. Internal to the
// pretended device.
#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>

namespace blip::fake_cuda {

c10::Allocator* device_allocator();
c10::Allocator* page_locked_allocator();

// The bytes arrive with the next event behind this that is reached; until then the memory holds NaN.
void copy_to_host_later(void* page_locked, const void* bytes, std::size_t count);
// Told of if the memory's content is another one when the copy is known to be through.
void copied_from_host(const void* page_locked, std::size_t count);
// Number of the point that an event recorded now stands for; and: the device is known to be through until it.
long point_in_queue();
void reached(long point);
bool is_reached(long point);
void reached_everything();
// Page-locked memory is given back: what is on its way to it or from it is through.
void finish_copies_of(const void* page_locked);

}    // namespace blip::fake_cuda

// Memory of large tensors on the CPU, apart from the heap.
#pragma once

#include <cstddef>

namespace blip {

// From this size on a tensor's memory is mapped by itself. With 16 MiB, a run whose logits are a little smaller took
// 13 to 25 % more, another amount on each kind of processor.
inline constexpr std::size_t large_tensor_bytes = std::size_t{1} << 20;

// For all CPU tensors allocated from now on. The logits of a step and their gradients have other sizes in every step:
// on a heap that never shrinks (tune_allocator) the holes they leave fit none of those that follow, and a run takes a
// quarter more memory than its tensors do. Here what a tensor frees is kept for the next one of about its size, as
// fresh pages cost a tenth of a training step, and goes back to the system, the largest first, where keeping it would
// take more than the most that large tensors took at once.
void set_large_tensors_apart();

// Gives back what is kept: before the heap needs much memory. Nothing happens where set_large_tensors_apart was not
// called.
void drop_kept_large_tensors();

}    // namespace blip

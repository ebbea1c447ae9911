// The same in a program without CUDA: see gpu_presence.h and device_range.h.
#include "blip/base/device_range.h"
#include "blip/base/gpu_presence.h"

namespace blip {

bool built_with_cuda() { return false; }
GpuNeeds gpu_needs() { return {}; }

void begin_device_range(const char*) noexcept {}
void end_device_range() noexcept {}

}    // namespace blip

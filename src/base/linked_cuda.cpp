// What a program with CUDA says of itself and to profilers: see gpu_presence.h and device_range.h.
#include <cuda_runtime_api.h>
#include <nvtx3/nvToolsExt.h>

#include "blip/base/device_range.h"
#include "blip/base/gpu_presence.h"

namespace blip {

bool built_with_cuda() { return true; }
GpuNeeds gpu_needs() { return {CUDART_VERSION, BLIP_OLDEST_ARCHITECTURE}; }

void begin_device_range(const char* name) noexcept { static_cast<void>(nvtxRangePushA(name)); }
void end_device_range() noexcept { static_cast<void>(nvtxRangePop()); }

}    // namespace blip

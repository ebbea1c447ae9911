// See device_range.h.
#include "blip/base/device_range.h"

#include <nvtx3/nvToolsExt.h>

namespace blip {

void begin_device_range(const char* name) noexcept { static_cast<void>(nvtxRangePushA(name)); }
void end_device_range() noexcept { static_cast<void>(nvtxRangePop()); }

}    // namespace blip

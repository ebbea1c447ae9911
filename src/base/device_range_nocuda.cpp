// See device_range.h.
#include "blip/base/device_range.h"

namespace blip {

void begin_device_range(const char*) noexcept {}
void end_device_range() noexcept {}

}    // namespace blip

// See gpu_presence.h.
#include "blip/base/gpu_presence.h"

namespace blip {

bool built_with_cuda() { return true; }

}    // namespace blip

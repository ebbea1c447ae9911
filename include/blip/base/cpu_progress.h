// Whether this process computes: what tells a long computation from one that waits for a file or a device for ever.
// Used by the watchdog and by comm/run_together.
#pragma once

#include <cstdint>

namespace blip {

class CpuProgress {
  public:
    CpuProgress();
    // Since the last call, all threads together used at least a fiftieth of a core.
    bool moved();

  private:
    std::int64_t wall_ns_, cpu_ns_;
};

}    // namespace blip

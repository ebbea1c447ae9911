// What the kernel tells of processes: the memory that this one holds, whether it computes, the state of any.
#pragma once

#include <cstdint>
#include <optional>

namespace blip {

// Resident memory of this process now, and the most it was so far, in bytes.
std::uint64_t resident_bytes();
std::uint64_t peak_resident_bytes();

// Whether this process computes: what tells a long computation from one that waits for a file or a device for ever.
class CpuProgress {
  public:
    CpuProgress();
    // Since the last call, all threads together used at least a fiftieth of a core.
    bool moved();

  private:
    std::int64_t wall_ns_, cpu_ns_;
};

// From /proc/PID/stat.
struct ProcessStat {
    char state = 0;    // 'R' running, 'T' stopped, 'Z' waits to be reaped, ...
    std::int64_t parent = 0;
    std::uint64_t start = 0;    // clock ticks after the boot
};
// nullopt if there is no such process, or none that this one may see
std::optional<ProcessStat> process_stat(std::int64_t pid);

}    // namespace blip

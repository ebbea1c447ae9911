// What the kernel tells of processes: the memory that this one holds, the state of any.
#pragma once

#include <cstdint>
#include <optional>

namespace blip {

// Resident memory of this process now, and the most it was so far, in bytes.
std::uint64_t resident_bytes();
std::uint64_t peak_resident_bytes();

// From /proc/PID/stat.
struct ProcessStat {
    char state = 0;    // 'R' running, 'T' stopped, 'Z' waits to be reaped, ...
    std::int64_t parent = 0;
    std::uint64_t start = 0;    // clock ticks after the boot
};
// nullopt if there is no such process, or none that this one may see
std::optional<ProcessStat> process_stat(std::int64_t pid);

}    // namespace blip

// See process_memory.h.
#include "blip/base/process_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace blip {

std::uint64_t resident_bytes() {
    std::uint64_t total_pages = 0, resident_pages = 0;
    std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
    return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t peak_resident_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;    // Linux counts KiB
}

}    // namespace blip

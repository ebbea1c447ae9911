// See process.h.
#include "blip/base/process.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <sstream>
#include <string>

namespace blip {
namespace {

constexpr std::int64_t kShare = 50;

std::int64_t now_ns(clockid_t clock) {
    timespec time = {};
    ::clock_gettime(clock, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}    // namespace

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

CpuProgress::CpuProgress() : wall_ns_(now_ns(CLOCK_MONOTONIC)), cpu_ns_(now_ns(CLOCK_PROCESS_CPUTIME_ID)) {}

bool CpuProgress::moved() {
    const std::int64_t wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    const bool enough = (cpu - cpu_ns_) * kShare >= wall - wall_ns_;
    wall_ns_ = wall;
    cpu_ns_ = cpu;
    return enough;
}

std::optional<ProcessStat> process_stat(std::int64_t pid) {
    std::string line, skipped;
    std::getline(std::ifstream(fmt::format("/proc/{}/stat", pid)), line);
    // the name in parentheses may hold anything; behind it come the state, the parent and, 17 fields later, the start
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(line.substr(name_end + 1));
    ProcessStat stat;
    fields >> stat.state >> stat.parent;
    for (int i = 0; i < 17; ++i) fields >> skipped;
    fields >> stat.start;
    return fields ? std::optional(stat) : std::nullopt;
}

}    // namespace blip

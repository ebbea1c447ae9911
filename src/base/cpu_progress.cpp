// See cpu_progress.h.
#include "blip/base/cpu_progress.h"

#include <ctime>

namespace blip {
namespace {

constexpr std::int64_t kShare = 50;

std::int64_t now_ns(clockid_t clock) {
    timespec time = {};
    ::clock_gettime(clock, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}    // namespace

CpuProgress::CpuProgress() : wall_ns_(now_ns(CLOCK_MONOTONIC)), cpu_ns_(now_ns(CLOCK_PROCESS_CPUTIME_ID)) {}

bool CpuProgress::moved() {
    const std::int64_t wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    const bool enough = (cpu - cpu_ns_) * kShare >= wall - wall_ns_;
    wall_ns_ = wall;
    cpu_ns_ = cpu;
    return enough;
}

}    // namespace blip

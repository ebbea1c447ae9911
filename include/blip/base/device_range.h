// Named ranges of a thread's time that profilers of NVIDIA's show beside what the GPU computes (NVTX). They do nothing
// where no profiler listens, and in programs without CUDA. Used by report/rank_trace.
#pragma once

namespace blip {

// Of the calling thread; ranges nest.
void begin_device_range(const char* name) noexcept;
void end_device_range() noexcept;

}    // namespace blip

// When a run will end, and how much of the machine it uses: told once, after its first ten steps. Used by the trainer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "blip/comm/communicator.h"
#include "blip/params/arena.h"
#include "blip/report/run_log.h"

namespace blip {

class Pace {
  public:
    // Of a run from first_step (steps done) to last_step. Measures the matrix peak of all ranks, for a second, unless
    // the run is too short to tell anything or measure_peak is off. Collective.
    Pace(std::int64_t first_step, std::int64_t last_step, bool measure_peak, ArenaPlacement placement,
         HostMessages& communicator);

    // On rank 0, when a step is known to be done. step_flops gives the floating-point operations of a mean step, over
    // all ranks.
    void step_done(std::int64_t step, const std::function<double()>& step_flops, std::int64_t captions, RunLog& log);

  private:
    std::int64_t first_step_, last_step_;
    double peak_ = 0;    // floating-point operations a second of all ranks; 0: not measured
    std::chrono::steady_clock::time_point start_;
};

}    // namespace blip

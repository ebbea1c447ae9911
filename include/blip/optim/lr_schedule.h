// Learning rate of a step: the epoch's, (init - min) * 0.5 * (1 + cos(pi * epoch / epochs)) + min (reference BLIP,
// cosine_lr_schedule), and while warming up a share of it.
#pragma once

#include <cstdint>

#include "blip/options/options.h"

namespace blip {

// epoch in [0, epochs)
double cosine_lr(const OptimOptions& options, int epoch, int epochs);

// cosine_lr, times (step + 1) / N in the first N = warmup_steps steps of the run: linear from 1/N of it, so that step
// N - 1 is the first with the whole (as in Goyal et al. 2017, sec. 2.2; reference BLIP's warmup_lr_schedule, which only
// its pretraining uses, rises from a rate of its own, init + (max - init) * step / N). step: steps done before it.
double step_lr(const OptimOptions& options, int epoch, int epochs, std::int64_t step);

}    // namespace blip

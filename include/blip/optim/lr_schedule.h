// Learning rate of an epoch: (init - min) * 0.5 * (1 + cos(pi * epoch / epochs)) + min (reference BLIP,
// cosine_lr_schedule).
#pragma once

#include "blip/options/options.h"

namespace blip {

// epoch in [0, epochs)
double cosine_lr(const OptimOptions& options, int epoch, int epochs);

}    // namespace blip

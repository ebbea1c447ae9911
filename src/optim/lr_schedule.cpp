// See lr_schedule.h. Called by the trainer at the start of each epoch.
#include "blip/optim/lr_schedule.h"

#include <cmath>
#include <numbers>

namespace blip {

double cosine_lr(const OptimOptions& options, int epoch, int epochs) {
    return (options.init_lr - options.min_lr) * 0.5 * (1 + std::cos(std::numbers::pi * epoch / epochs)) +
           options.min_lr;
}

}    // namespace blip

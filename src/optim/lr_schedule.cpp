// See lr_schedule.h. Called by the trainer before each step.
#include "blip/optim/lr_schedule.h"

#include <cmath>
#include <numbers>

namespace blip {

double cosine_lr(const OptimOptions& options, int epoch, int epochs) {
    return (options.init_lr - options.min_lr) * 0.5 * (1 + std::cos(std::numbers::pi * epoch / epochs)) +
           options.min_lr;
}

double step_lr(const OptimOptions& options, int epoch, int epochs, std::int64_t step) {
    const double whole = cosine_lr(options, epoch, epochs);
    if (step >= options.warmup_steps) return whole;
    return whole * static_cast<double>(step + 1) / options.warmup_steps;
}

}    // namespace blip

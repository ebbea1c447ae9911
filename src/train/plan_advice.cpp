// See plan_advice.h.
#include "blip/train/plan_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "blip/optim/lr_schedule.h"

namespace blip {

namespace {

// Weights start at a standard deviation of 0.02. COCO's recipe comes to 0.06.
constexpr double least_reach = 1e-3;
constexpr double good_reach = 5e-3;
constexpr double highest_rate = 1e-4;    // that pretrained weights bear

// 1, 2 or 5 times a power of ten, not below the value (but for rounding).
double round_rate(double value) {
    const double unit = std::pow(10, std::floor(std::log10(value)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (factor * unit >= value * (1 - 1e-9)) return factor * unit;
    return 10 * unit;
}

// The largest power of two that leaves 50 steps an epoch, between 4 and 32; not more than what was asked for.
int fitting_batch(int asked, std::int64_t captions) {
    int batch = 32;
    while (batch > 4 && captions / batch < 50) batch /= 2;
    return std::min(batch, asked);
}

}    // namespace

double learning_reach(const TrainOptions& train, const OptimOptions& optim, std::int64_t steps) {
    double reach = 0;
    for (int epoch = 0; epoch < train.epochs; ++epoch) {
        const std::int64_t first = epoch * steps,
                           warm = std::clamp<std::int64_t>(optim.warmup_steps, first, first + steps);
        for (std::int64_t step = first; step < warm; ++step) reach += step_lr(optim, epoch, train.epochs, step);
        reach += static_cast<double>(first + steps - warm) * cosine_lr(optim, epoch, train.epochs);
    }
    return reach;
}

std::string too_few_steps(const TrainOptions& train, const OptimOptions& optim, std::int64_t captions) {
    const std::int64_t steps = captions / train.global_batch;
    const double reach = learning_reach(train, optim, steps);
    if (train.max_steps > 0 || reach >= least_reach) return "";
    TrainOptions better = train;
    OptimOptions faster = optim;
    const int each = train.captions_per_picture;    // whole pictures
    better.global_batch = std::max(fitting_batch(train.global_batch, captions) / each, 1) * each;
    better.micro_batch = std::min(train.micro_batch, better.global_batch);
    while (better.global_batch % better.micro_batch != 0 || better.micro_batch % each != 0) --better.micro_batch;
    const std::int64_t more_steps = captions / better.global_batch;
    const auto short_of = [&] { return learning_reach(better, faster, more_steps) < good_reach; };
    better.epochs = std::max(train.epochs, 10);
    faster.warmup_steps = static_cast<int>(std::min<std::int64_t>(optim.warmup_steps, more_steps));
    if (short_of())
        faster.init_lr =
            std::max(optim.init_lr, std::min(highest_rate, round_rate(optim.init_lr * good_reach /
                                                                      learning_reach(better, faster, more_steps))));
    while (short_of()) ++better.epochs;
    return fmt::format(
        "{} steps in all at {:g}: too few to learn; the rates of all steps come to {:.1g}, about as far as a weight "
        "can move, and fine-tuning takes {:g}: e.g. --global-batch {} --micro-batch {} --epochs {} --init-lr {:g}, "
        "which are {} steps",
        steps * train.epochs, optim.init_lr, reach, good_reach, better.global_batch, better.micro_batch, better.epochs,
        faster.init_lr, more_steps * better.epochs);
}

}    // namespace blip

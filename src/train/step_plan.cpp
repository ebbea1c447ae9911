// See step_plan.h.
#include "src/train/step_plan.h"

#include <algorithm>

namespace blip {

StepPlan::StepPlan(const SplitTables& split, const Objective& objective, const TrainOptions& options, int rank,
                   int size)
    : units_(objective.units()),
      epochs_(options.epochs),
      max_steps_(options.max_steps),
      sampler_(units_.count(), options.global_batch, options.micro_batch, options.seed, rank, size,
               units_.captions_per_unit()),
      weight_of_none_(objective.weight(no_caption)) {
    for (std::int64_t c = 0; c < split.caption_count(); ++c)
        weights_C_.push_back(static_cast<std::int32_t>(objective.weight(c)));
}

std::int64_t StepPlan::last_step() const {
    const std::int64_t all = sampler_.steps_per_epoch() * epochs_;
    return max_steps_ > 0 ? std::min(all, max_steps_) : all;
}

StepPlan::Global StepPlan::global(std::int64_t epoch, std::int64_t step) const {
    Global all;
    for (const std::int64_t unit : sampler_.global_units(epoch, step)) {
        for (const std::int64_t caption : units_.captions(epoch, unit)) {
            const bool none = caption == no_caption;
            all.weight += none ? weight_of_none_ : weights_C_[static_cast<std::size_t>(caption)];
            all.captions += none && weight_of_none_ == 0 ? 0 : 1;
        }
    }
    all.weight = std::max<std::int64_t>(all.weight, 1);
    return all;
}

std::function<std::optional<BatchRequest>()> StepPlan::requests(std::int64_t epoch, std::int64_t first_step) const {
    // The sampler is copied: it caches a permutation, and this runs in a loader thread.
    return [sampler = sampler_, units = units_, epoch, step = first_step, queue = std::vector<MicroBatch>{},
            at = std::size_t{0}]() mutable -> std::optional<BatchRequest> {
        while (at == queue.size()) {
            if (step >= sampler.steps_per_epoch() || sampler.micro_batch_count() == 0) return std::nullopt;
            queue = sampler.micro_batches(epoch, step++);
            at = 0;
        }
        return units.request(queue[at++], epoch);
    };
}

}    // namespace blip

// See step_plan.h.
#include "src/train/step_plan.h"

#include <algorithm>

#include "blip/base/random.h"

namespace blip {

BatchRequest request_of(const SplitTables& split, const MicroBatch& micro, std::uint64_t seed, std::int64_t epoch) {
    BatchRequest request;
    request.tag = micro.first;
    request.captions = micro.samples;
    for (std::int64_t caption : micro.samples) {
        // One sample is one (image, caption) pair, so a picture drawn twice is loaded twice, augmented differently.
        request.image_of_caption.push_back(static_cast<std::int64_t>(request.images.size()));
        request.images.push_back(split.image_index_C[static_cast<std::size_t>(caption)]);
        request.augment_keys.push_back(
            random_key(seed, RandomPurpose::augmentation,
                       {static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(caption)}));
    }
    return request;
}

StepPlan::StepPlan(const SplitTables& split, const Objective& objective, const TrainOptions& options, int rank,
                   int size)
    : split_(split),
      seed_(options.seed),
      epochs_(options.epochs),
      max_steps_(options.max_steps),
      sampler_(split.caption_count(), options.global_batch, options.micro_batch, options.seed, rank, size) {
    for (std::int64_t c = 0; c < split.caption_count(); ++c)
        weights_C_.push_back(static_cast<std::int32_t>(objective.weight(c)));
}

std::int64_t StepPlan::last_step() const {
    const std::int64_t all = sampler_.steps_per_epoch() * epochs_;
    return max_steps_ > 0 ? std::min(all, max_steps_) : all;
}

std::int64_t StepPlan::global_weight(std::int64_t epoch, std::int64_t step) const {
    std::int64_t total = 0;
    for (std::int64_t sample : sampler_.global_samples(epoch, step))
        total += weights_C_[static_cast<std::size_t>(sample)];
    return std::max<std::int64_t>(total, 1);
}

std::function<std::optional<BatchRequest>()> StepPlan::requests(std::int64_t epoch, std::int64_t first_step) const {
    // The sampler is copied: it caches a permutation, and this runs in a loader thread.
    return [sampler = sampler_, split = &split_, seed = seed_, epoch, step = first_step,
            queue = std::vector<MicroBatch>{}, at = std::size_t{0}]() mutable -> std::optional<BatchRequest> {
        while (at == queue.size()) {
            if (step >= sampler.steps_per_epoch() || sampler.micro_batch_count() == 0) return std::nullopt;
            queue = sampler.micro_batches(epoch, step++);
            at = 0;
        }
        return request_of(*split, queue[at++], seed, epoch);
    };
}

}    // namespace blip

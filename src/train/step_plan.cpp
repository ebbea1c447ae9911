// See step_plan.h.
#include "src/train/step_plan.h"

#include <algorithm>

#include "blip/base/random.h"

namespace blip {

StepPlan::StepPlan(const SplitTables& split, int prompt_length, const Options& options, int rank, int size)
    : split_(split),
      options_(options),
      sampler_(split.caption_count(), options.train.global_batch, options.train.micro_batch, options.train.seed, rank,
               size),
      trained_tokens_C_(static_cast<std::size_t>(split.caption_count())) {
    for (std::int64_t c = 0; c < split.caption_count(); ++c) {
        const std::uint16_t* tokens = split.tokens(c);
        const int length = std::min(split.lengths_C[static_cast<std::size_t>(c)], max_caption_tokens);
        // the rule of trained_tokens() in caption_loss
        for (int t = prompt_length; t < length; ++t)
            trained_tokens_C_[static_cast<std::size_t>(c)] += tokens[t] != SpecialTokens::pad ? 1 : 0;
    }
}

std::int64_t StepPlan::global_tokens(std::int64_t epoch, std::int64_t step) const {
    std::int64_t total = 0;
    for (std::int64_t sample : sampler_.global_samples(epoch, step))
        total += trained_tokens_C_[static_cast<std::size_t>(sample)];
    return std::max<std::int64_t>(total, 1);
}

std::function<std::optional<BatchRequest>()> StepPlan::requests(std::int64_t epoch, std::int64_t first_step) const {
    // The sampler is copied: it caches a permutation, and this runs in a loader thread.
    return [sampler = sampler_, split = &split_, seed = options_.train.seed, epoch, step = first_step,
            queue = std::vector<MicroBatch>{}, at = std::size_t{0}]() mutable -> std::optional<BatchRequest> {
        while (at == queue.size()) {
            if (step >= sampler.steps_per_epoch() || sampler.micro_batch_count() == 0) return std::nullopt;
            queue = sampler.micro_batches(epoch, step++);
            at = 0;
        }
        const MicroBatch& micro = queue[at++];
        BatchRequest request;
        request.tag = micro.index;
        request.captions = micro.samples;
        for (std::int64_t caption : micro.samples) {
            // One sample is one (image, caption) pair, so a picture drawn twice is loaded twice, augmented differently.
            request.image_of_caption.push_back(static_cast<std::int64_t>(request.images.size()));
            request.images.push_back(split->image_index_C[static_cast<std::size_t>(caption)]);
            request.augment_keys.push_back(
                random_key(seed, RandomPurpose::augmentation,
                           {static_cast<std::uint64_t>(epoch), static_cast<std::uint64_t>(caption)}));
        }
        return request;
    };
}

}    // namespace blip

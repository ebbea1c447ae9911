// See objective.h.
#include "blip/tasks/caption/objective.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "blip/base/random.h"
#include "blip/kernels/drop_path.h"

namespace blip {

CaptionObjective::CaptionObjective(const Captioner& captioner, const SplitTables& split, int prompt_length,
                                   const LossOptions& options, const TrainOptions& train)
    : captioner_(captioner),
      split_(split),
      prompt_length_(prompt_length),
      options_(options),
      units_(split, train.captions_per_picture, train.seed),
      recomputed_blocks_(train.recomputed_blocks()),
      frozen_vision_(train.freeze == "vision") {}

std::int64_t CaptionObjective::weight(std::int64_t caption) const {
    if (caption == no_caption) return 0;
    const std::uint16_t* tokens = split_.tokens(caption);
    const int length = std::min(split_.lengths_C[static_cast<std::size_t>(caption)], max_caption_tokens);
    std::int64_t trained = 0;
    for (int t = 0; t < length; ++t) trained += is_trained(tokens[t], t, prompt_length_) ? 1 : 0;
    return trained;
}

double CaptionObjective::flops(const std::vector<std::int64_t>& captions) const {
    std::vector<int> tokens;
    int trained = 0;
    for (const std::int64_t caption : captions) {
        if (caption == no_caption) continue;
        tokens.push_back(std::min<int>(split_.lengths_C[static_cast<std::size_t>(caption)], max_caption_tokens));
        trained += static_cast<int>(weight(caption));
    }
    return captioner_.training_flops(tokens, trained, frozen_vision_);
}

at::Tensor CaptionObjective::loss(const Weights& weights, const FedBatch& fed, const StepShare& step) const {
    const Batch& batch = fed.batch;
    const auto key = [&](RandomPurpose purpose) {
        return random_key(step.seed, purpose, {static_cast<std::uint64_t>(step.step)});
    };
    const std::int64_t first = batch.request.tag;
    const TrainedTokens trained = trained_tokens(batch.tokens_CT, batch.lengths_C, prompt_length_);
    DropoutMasks dropout(options_.dropout, key(RandomPurpose::dropout), first);
    const at::Tensor branch_scales =
        drop_path_scales(captioner_.options().vision_depth, fed.images_I3SS.size(0), options_.drop_path,
                         key(RandomPurpose::drop_path), first / units_.captions_per_unit(), fed.images_I3SS.device());
    const double share = options_.average == "micro-batch" ? 1.0 / step.micro_batches
                                                           : static_cast<double>(trained.targets.size()) / step.weight;
    return caption_loss(captioner_, weights, fed.images_I3SS, fed.tokens_CT, trained, options_.label_smoothing, dropout,
                        branch_scales, recomputed_blocks_) *
           share;
}

}    // namespace blip

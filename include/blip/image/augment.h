// Training and evaluation transforms in two halves: a plan is drawn (keyed, cheap, CPU), then applied (CPU here; a CUDA
// twin can apply the same plan). Called by data/batch_loader and the caption verb.
#pragma once

#include <cstdint>

#include "blip/image/image.h"
#include "blip/options/options.h"

namespace blip {

// Everything that was decided at random for one picture; applying it is deterministic.
struct AugmentPlan {
    Box crop;             // in source pixels
    bool flip = false;    // after the resize
};

// RandomResizedCrop(scale .5-1, ratio 3/4-4/3; 10 tries, then the clamped centre crop) and flip (p = .5).
// key: random_key(seed, RandomPurpose::augmentation, {epoch, sample}).
AugmentPlan draw_training_plan(int height, int width, const AugmentOptions& options, std::uint64_t key);
// Squash of the whole picture (evaluation).
AugmentPlan evaluation_plan(int height, int width);
// output_CHW: 3 x size x size bytes, channels first. Normalisation happens on the model's device.
void apply_plan(const ImageView& image, const AugmentPlan& plan, int size, std::uint8_t* output_CHW);

}    // namespace blip

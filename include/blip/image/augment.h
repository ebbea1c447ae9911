// Training and evaluation transforms in two halves: a plan is drawn (keyed, cheap, CPU), then applied (CPU here; a CUDA
// twin can apply the same plan). Called by data/batch_loader and the caption verb.
#pragma once

#include <cstdint>
#include <vector>

#include "blip/image/image.h"
#include "blip/options/options.h"

namespace blip {

// RandomAugment's operators at level 5 of 10, in its order. At that level brightness and sharpness change nothing.
// (The reference's own AutoContrast turns any channel whose lowest level is above 0 white; this one is PIL's.)
enum class ImageOperator : std::uint8_t {
    identity,
    auto_contrast,
    brightness,
    sharpness,
    equalize,
    shear_x,        // by 0.15
    shear_y,        // by 0.15
    translate_x,    // by 5 pixels
    translate_y,    // by 5 pixels
    rotate          // by 15 degrees
};
inline constexpr int image_operator_count = 10;

struct SignedOperator {
    ImageOperator kind = ImageOperator::identity;
    bool negative = false;    // the other way round, where that means anything (from shear_x on)

    bool operator==(const SignedOperator&) const = default;
};

// Everything that was decided at random for one picture; applying it is deterministic.
struct AugmentPlan {
    Box crop;                                      // in source pixels
    bool flip = false;                             // after the resize
    std::vector<SignedOperator> operators = {};    // after the flip, in this order
};

// RandomResizedCrop(scale .5-1, ratio 3/4-4/3; 10 tries, then the clamped centre crop), flip (p = .5) and
// options.operators draws among all operators, each applied with p = .5 and negative with p = .5.
// key: random_key(seed, RandomPurpose::augmentation, {epoch, sample}).
AugmentPlan draw_training_plan(int height, int width, const AugmentOptions& options, std::uint64_t key);
// Squash of the whole picture (evaluation).
AugmentPlan evaluation_plan(int height, int width);
// output_CHW: 3 x size x size bytes, channels first. Normalisation happens on the model's device.
void apply_plan(const ImageView& image, const AugmentPlan& plan, int size, std::uint8_t* output_CHW);
// In place. planes_CHW: 3 x height x width bytes.
void apply_operator(const SignedOperator& step, int height, int width, std::uint8_t* planes_CHW);

}    // namespace blip

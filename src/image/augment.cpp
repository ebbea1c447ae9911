// Training and evaluation transforms (torchvision's RandomResizedCrop and RandomHorizontalFlip and the RandomAugment of
// the reference).
#include "blip/image/augment.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "blip/base/random.h"
#include "blip/image/resize.h"

namespace blip {
namespace {

constexpr int crop_tries = 10;

int round_half_even(double x) { return static_cast<int>(std::nearbyint(x)); }

int below(RandomStream& stream, int count) { return static_cast<int>(stream.below(static_cast<std::uint64_t>(count))); }

// The largest centred box whose width : height lies in the range.
Box centre_crop(int height, int width, const AugmentOptions& options) {
    Box box{0, 0, height, width};
    const double ratio = static_cast<double>(width) / height;
    if (ratio < options.min_ratio) box.height = std::clamp(round_half_even(width / options.min_ratio), 1, height);
    if (ratio > options.max_ratio) box.width = std::clamp(round_half_even(height * options.max_ratio), 1, width);
    box.top = (height - box.height) / 2;
    box.left = (width - box.width) / 2;
    return box;
}

Box random_crop(int height, int width, const AugmentOptions& options, RandomStream& stream) {
    const double area = static_cast<double>(height) * width;
    for (int attempt = 0; attempt < crop_tries; ++attempt) {
        const double target = area * stream.uniform(options.min_scale, options.max_scale);
        const double ratio = std::exp(stream.uniform(std::log(options.min_ratio), std::log(options.max_ratio)));
        const int w = round_half_even(std::sqrt(target * ratio));
        const int h = round_half_even(std::sqrt(target / ratio));
        if (w < 1 || w > width || h < 1 || h > height) continue;
        const int top = below(stream, height - h + 1);
        const int left = below(stream, width - w + 1);
        return {top, left, h, w};
    }
    return centre_crop(height, width, options);
}

// Three numbers each, applied or not.
std::vector<SignedOperator> random_operators(int count, RandomStream& stream) {
    std::vector<SignedOperator> applied;
    for (int i = 0; i < count; ++i) {
        const auto kind = static_cast<ImageOperator>(below(stream, image_operator_count));
        const bool applies = stream.uniform() < 0.5;
        const bool negative = stream.uniform() < 0.5;
        if (applies) applied.push_back({kind, negative});
    }
    return applied;
}

}    // namespace

AugmentPlan draw_training_plan(int height, int width, const AugmentOptions& options, std::uint64_t key) {
    if (!options.enabled) return evaluation_plan(height, width);
    RandomStream stream(key);
    // The crop is drawn last: the number of draws before anything else must not depend on the picture's size.
    AugmentPlan plan;
    plan.flip = stream.uniform() < options.flip;
    plan.operators = random_operators(options.operators, stream);
    plan.crop = random_crop(height, width, options, stream);
    return plan;
}

AugmentPlan evaluation_plan(int height, int width) { return {Box{0, 0, height, width}, false, {}}; }

void apply_plan(const ImageView& image, const AugmentPlan& plan, int size, std::uint8_t* output_CHW) {
    const std::size_t plane = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    std::vector<std::uint8_t> resized_HWC(plane * 3);
    resize_bicubic(image, plan.crop, size, size, resized_HWC.data());
    const std::uint8_t* pixel = resized_HWC.data();
    for (std::size_t row = 0; row < plane; row += static_cast<std::size_t>(size))
        for (int x = 0; x < size; ++x, pixel += 3) {
            std::uint8_t* to = output_CHW + row + (plan.flip ? size - 1 - x : x);
            for (std::size_t channel = 0; channel < 3; ++channel) to[channel * plane] = pixel[channel];
        }
    for (const SignedOperator& operation : plan.operators) apply_operator(operation, size, size, output_CHW);
}

}    // namespace blip

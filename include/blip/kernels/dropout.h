// Dropout whose mask is a pure function of a key and of the caption's position in the global batch: the same on any
// rank count, micro-batch, thread count, device and precision. Used by model/text_decoder. The gradient is masked
// alike; the mask is computed again for it instead of being kept.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace blip {

// One place that drops in one micro-batch: an element is zeroed with the probability, by its caption, head, token and
// channel.
struct DropoutDraw {
    double probability = 0;    // 0: nothing is dropped
    std::uint64_t key = 0;
    std::uint32_t site = 0;
    std::uint32_t first_caption = 0;    // position in the global batch of the micro-batch's first
    std::uint32_t side_by_side = 1;     // captions whose tokens follow one another within each head
};

// x [captions, heads, tokens, channels], fp32 or bf16, on the CPU or a GPU, each element zeroed or divided by the
// probability to be kept, in fp32. Without a gradient: backward is the same function. Of fewer dimensions, heads and
// then captions are one. Throws internal for other precisions.
at::Tensor dropped(const at::Tensor& x, const DropoutDraw& draw);

// The masks of one micro-batch: a fresh counter for every place in the network that drops, in order of use.
class DropoutMasks {
  public:
    // probability 0: nothing is dropped. key: random_key(seed, RandomPurpose::dropout, {step}). first_caption: position
    // in the step's global batch.
    DropoutMasks(double probability, std::uint64_t key, std::int64_t first_caption = 0)
        : next_{probability, key, 0, static_cast<std::uint32_t>(first_caption)} {}
    static DropoutMasks none() { return {0.0, 0}; }

    bool active() const { return next_.probability > 0; }
    // x with each element zeroed with the probability, the others scaled by 1 / (1 - probability) in fp32: see
    // dropped(). captions: so many side by side, [pictures, heads, captions * tokens, channels], with the masks that
    // they have by themselves.
    at::Tensor apply(const at::Tensor& x, std::int64_t captions = 1);
    // The next place's draw, for a kernel that drops along with other work.
    DropoutDraw next(std::int64_t captions = 1) {
        if (!active()) return {};
        DropoutDraw draw = next_;
        draw.side_by_side = static_cast<std::uint32_t>(captions);
        ++next_.site;
        return draw;
    }

  private:
    DropoutDraw next_;
};

}    // namespace blip

// Dropout whose mask is a pure function of a key: the same on any rank count, thread count, device and precision.
// Used by model/text_decoder. The gradient is masked alike; the mask is computed again for it instead of being kept.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace blip {

// One place that drops in one micro-batch: an element is zeroed with the probability, by its number in the tensor.
struct DropoutDraw {
    double probability = 0;    // 0: nothing is dropped
    std::uint64_t key = 0, site = 0;
};

// x, of any shape, fp32 or bf16, on the CPU or a GPU, each element zeroed or divided by the probability to be kept, in
// fp32. Without a gradient: backward is the same function. Throws internal for other precisions.
at::Tensor dropped(const at::Tensor& x, const DropoutDraw& draw);

// The masks of one micro-batch: a fresh counter for every place in the network that drops, in order of use.
class DropoutMasks {
  public:
    // probability 0: nothing is dropped. key: random_key(seed, RandomPurpose::dropout, {step, micro-batch index}).
    DropoutMasks(double probability, std::uint64_t key) : probability_(probability), key_(key) {}
    static DropoutMasks none() { return {0.0, 0}; }

    bool active() const { return probability_ > 0; }
    // x with each element zeroed with the probability, the others scaled by 1 / (1 - probability) in fp32; any shape,
    // fp32 or bf16, on the CPU or a GPU. Throws internal for other precisions.
    at::Tensor apply(const at::Tensor& x);
    // The next place's draw, for a kernel that drops along with other work.
    DropoutDraw next() { return active() ? DropoutDraw{probability_, key_, site_++} : DropoutDraw{}; }

  private:
    double probability_;
    std::uint64_t key_;
    std::uint64_t site_ = 0;
};

}    // namespace blip

// Dropout whose mask is a pure function of a key: the same on any rank count, thread count and device.
// Used by model/text_decoder. CUDA's twin computes the same masks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace blip {

// The masks of one micro-batch: a fresh counter for every place in the network that drops, in order of use.
class DropoutMasks {
  public:
    // probability 0: nothing is dropped. key: random_key(seed, RandomPurpose::dropout, {step, micro-batch index}).
    DropoutMasks(double probability, std::uint64_t key) : probability_(probability), key_(key) {}
    static DropoutMasks none() { return {0.0, 0}; }

    bool active() const { return probability_ > 0; }
    // x with each element zeroed with the probability, the others scaled by 1 / (1 - probability); any shape, fp32.
    at::Tensor apply(const at::Tensor& x);

  private:
    double probability_;
    std::uint64_t key_;
    std::uint64_t site_ = 0;
};

}    // namespace blip

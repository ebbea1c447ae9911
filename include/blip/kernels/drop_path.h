// Stochastic depth (Huang et al. 2016) as the reference's ViT-L uses it: in training, a residual branch is left out for
// a picture with a probability that rises linearly from 0 at the first block. Called by the trainer;
// model/vision_encoder multiplies. Legend: I images.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace blip {

// fp32 [2 * depth, I] on the device: for each block its attention branch, then its MLP branch: 0 (left out) or
// 1 / (1 - p) with p = last_probability * block / (depth - 1). A pure function of its arguments.
// key: random_key(seed, RandomPurpose::drop_path, {step}). first_image: its position in the step's global batch.
// Undefined when last_probability is 0.
at::Tensor drop_path_scales(int depth, std::int64_t images, double last_probability, std::uint64_t key,
                            std::int64_t first_image, c10::Device device);

}    // namespace blip

// The training objective of a micro-batch: cross-entropy of the caption tokens after the prompt, with label smoothing,
// summed; the caller divides by the token count of the global batch. Called by the trainer and tests.
// Formula: reference BLIP; (1 - e) * sum(nll) + e / V * sum over positions and words of -log p (Szegedy et al. 2016,
// sec. 7). Legend: C captions, T tokens, I images, S image size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "blip/kernels/dropout.h"
#include "blip/model/captioner.h"

namespace blip {

// Which tokens are trained: those at positions prompt_length .. length - 1 that are not padding.
struct TrainedTokens {
    std::vector<std::int64_t> positions;    // c * T + t of the hidden state that predicts the token at t + 1
    std::vector<std::int64_t> targets;      // that token
};
// tokens: [C, T] row-major; lengths: [C], [DEC] and [SEP] included.
TrainedTokens trained_tokens(const std::vector<std::int64_t>& tokens_CT, const std::vector<std::int64_t>& lengths_C,
                             int prompt_length);

// Scalar fp32 tensor on the graph. images: uint8 [I, 3, S, S]; tokens: int64 [C, T]; image_of_caption: int64 [C], or
// undefined when caption c belongs to image c. The head runs at trained positions only.
at::Tensor caption_loss_sum(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS,
                            const at::Tensor& tokens_CT, const at::Tensor& image_of_caption_C,
                            const TrainedTokens& trained, double label_smoothing, DropoutMasks& dropout);

}    // namespace blip

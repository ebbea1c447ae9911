// The loss of a micro-batch of captions: mean cross-entropy of the tokens after the prompt, with label smoothing; the
// objective weighs it by the micro-batch's share of the global batch's tokens. Called by CaptionObjective and tests.
// Formula: reference BLIP; (1 - e) * mean(nll) + e / V * sum over words of mean(-log p) (Szegedy et al. 2016, sec. 7).
// Legend: C captions, T tokens, I images, S image size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "blip/kernels/dropout.h"
#include "blip/model/captioner.h"
#include "blip/text/wordpiece.h"

namespace blip {

// Which tokens are trained: those behind the prompt that are not padding. position: in the caption, [DEC] at 0.
inline bool is_trained(std::int64_t token, std::int64_t position, int prompt_length) {
    return position >= prompt_length && token != SpecialTokens::pad;
}
struct TrainedTokens {
    std::vector<std::int64_t> positions;    // c * T + t of the hidden state that predicts the token at t + 1
    std::vector<std::int64_t> targets;      // that token
};
// tokens: [C, T] row-major; lengths: [C], [DEC] and [SEP] included.
TrainedTokens trained_tokens(const std::vector<std::int64_t>& tokens_CT, const std::vector<std::int64_t>& lengths_C,
                             int prompt_length);

// Scalar fp32 tensor on the graph, 0 without trained tokens. The mean, not the sum, is taken inside: the backward of
// log-softmax adds 30,524 equal tiny terms one by one, so its rounding depends on their scale (1e-4 of the gradient),
// and the reference's is that of a mean. images: uint8 [I, 3, S, S]; tokens: int64 [C, T], as many captions for each
// image, image by image. The head runs at trained positions only.
// branch_scales, recomputed_blocks: stochastic depth and gradient checkpointing of the vision encoder, see there. All
// tensors on the weights' device.
at::Tensor caption_loss(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS,
                        const at::Tensor& tokens_CT, const TrainedTokens& trained, double label_smoothing,
                        DropoutMasks& dropout, const at::Tensor& branch_scales = {}, int recomputed_blocks = 0);

}    // namespace blip

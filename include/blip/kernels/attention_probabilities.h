// Attention's probabilities from its scores: scale, causal mask, softmax and dropout in one kernel each way. Used by
// model on GPUs; on the CPU it runs as a reference for tests. Legend: T queries, K keys.
// Only the first real_keys of a row may be keys: the rest fills it up and gets the probability 0 and no dropout number.
#pragma once

#include <ATen/core/Tensor.h>

#include "blip/kernels/dropout.h"

namespace blip {

struct AttentionProbabilities {
    at::Tensor whole;      // softmax(scale * scores), rounded: for backward
    at::Tensor dropped;    // what multiplies the values; `whole` itself where nothing is dropped
};
// scores: contiguous [..., T, K], fp32 or bf16. causal: query t sees keys 0..t, and T <= K. Dropout's element numbers
// are those of the whole tensor of real keys, as DropoutMasks::apply's. real_keys: 0 for all.
AttentionProbabilities attention_probabilities(const at::Tensor& scores, double scale, bool causal,
                                               const DropoutDraw& dropout, std::int64_t real_keys = 0);
// The gradient of the scores, given that of `dropped`.
at::Tensor attention_probabilities_backward(const at::Tensor& gradient, const at::Tensor& whole, double scale,
                                            const DropoutDraw& dropout, std::int64_t real_keys = 0);

}    // namespace blip

// Captions drawn for training: multinomial at temperature 1, without filters or penalties, decided where the logits
// are. Used by tasks/caption/self_critical. Legend: B prompts, P tokens of a prompt, S samples of each, R rows (B * S,
// prompt-major; with greedy rows B * (S + 1)), V vocabulary, L tokens of the longest row.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "blip/generate/beam_search.h"

namespace blip {

struct SamplePlan {
    std::int64_t samples = 1;           // of each prompt
    bool greedy = false;                // one row more of each prompt, behind its samples: always the likeliest token
    std::int64_t longest = 20;          // tokens of a row, prompt included; more than the prompt has
    std::vector<std::uint64_t> keys;    // of all samples, prompt by prompt: what is drawn depends on nothing else
};

// int64 [R, L] on the logits' device: prompt, drawn tokens, after the first end token pads. A row without an end token
// reached the longest length. L: on the CPU that of the longest row, elsewhere plan.longest, so that the host need not
// wait. A row's tokens depend on its key and the logits alone; logits that differ by rounding give other tokens about
// as seldom as the rounding is small. Without a gradient.
at::Tensor draw_samples(NextTokenModel& model, const at::Tensor& prompts_BP, const SamplePlan& plan,
                        const SearchTokens& tokens = {});

}    // namespace blip

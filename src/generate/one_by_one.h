// Generation that decides each token for good: greedy search and sampling. Called by generate() in beam_search.h.
#pragma once

#include "blip/generate/beam_search.h"

namespace blip {

// Rows of prompts [B, P] as sequences.
std::vector<std::vector<std::int64_t>> prompt_rows(const at::Tensor& prompts_BP);

// The likeliest token each time, or with options.sample drawn ones: num_captions for each prompt (image-major).
std::vector<Generated> generate_one_by_one(NextTokenModel& model, const at::Tensor& prompts_BP,
                                           const GenerateOptions& options, const SearchTokens& special,
                                           const DrawKeys& keys);

}    // namespace blip

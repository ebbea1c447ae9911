// The two ways of generation, among which generate() in beam_search.h chooses.
#pragma once

#include <cstddef>
#include <optional>

#include "blip/generate/beam_search.h"

namespace blip {

// Decides each token for good: the likeliest each time, or with options.sample drawn ones: num_captions for each prompt
// (image-major).
std::vector<Generated> generate_one_by_one(NextTokenModel& model, const at::Tensor& prompts_BP,
                                           const GenerateOptions& options, const SearchTokens& special,
                                           const DrawKeys& keys);

// As generate() without sampling and with several beams, on the device that the logits are on. lag: the host learns so
// many tokens late that all images are done, and goes on until then, which changes nothing in what they have. Unset: 1
// on a GPU, so that the host never waits for what it has just queued, and 0 on the CPU.
std::vector<Generated> search_beams(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                                    const SearchTokens& special, std::optional<std::size_t> lag = {});

}    // namespace blip

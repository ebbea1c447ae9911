// Beam search on the device that the logits are on. Called by generate() in beam_search.h.
#pragma once

#include <cstddef>
#include <optional>

#include "blip/generate/beam_search.h"

namespace blip {

// As generate() without sampling and with several beams. lag: the host learns so many tokens late that all images are
// done, and goes on until then, which changes nothing in what they have. Unset: 1 on a GPU, so that the host never
// waits for what it has just queued, and 0 on the CPU.
std::vector<Generated> search_beams(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                                    const SearchTokens& special, std::optional<std::size_t> lag = {});

}    // namespace blip

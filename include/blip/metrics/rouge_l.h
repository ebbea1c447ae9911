// ROUGE-L (Lin 2004) as the COCO evaluation computes it: longest common subsequence of words, the best precision and
// the best recall over the references taken independently, F with beta = 1.2.
#pragma once

#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

// The corpus score is the mean over images. hypotheses[i] against references[i] (at least one each). Throws bad_data on
// different sizes or no references.
CaptionScores rouge_l(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references);

}    // namespace blip

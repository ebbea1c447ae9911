// CIDEr-D (Vedantam et al. 2015) as the COCO evaluation computes it: n-grams of 1 to 4 words weighted by their rarity
// over images, counts clipped, a Gaussian penalty on the difference in length.
#pragma once

#include <vector>

#include "blip/metrics/caption_scores.h"
#include "blip/metrics/document_frequencies.h"

namespace blip {

// The corpus score is the mean over images. hypotheses[i] against references[i] (at least one each). Document
// frequencies are those given (they need not outlive the call), without any those of the references: then a score
// depends on which images are scored together. 10 is the score of a caption equal to its only reference (where its
// n-grams are rarer than one in every image). Throws bad_data on different sizes or no references.
CaptionScores cider(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references,
                    const DocumentFrequencies* frequencies = nullptr);

}    // namespace blip

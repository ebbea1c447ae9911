// Corpus and per-image BLEU-1..4 (Papineni et al. 2002) with the COCO evaluation's choices: clipped by the largest
// count in any reference, closest reference length (ties: the shorter), smoothing constants 1e-15 and 1e-9.
#pragma once

#include <array>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

struct BleuScores {
    std::array<double, 4> corpus{};                  // Bleu_1 .. Bleu_4
    std::vector<std::array<double, 4>> per_image;    // same order as the input
    SummedStatistics statistics;                     // n-grams, right ones, both lengths
};

// hypotheses[i] against references[i] (at least one each). Throws bad_data on different sizes or no references.
BleuScores bleu(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references);

}    // namespace blip

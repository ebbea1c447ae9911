// What a set of captions is like, whatever its scores. Called by the verb score and by self-critical training.
#pragma once

#include <cstddef>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

struct CaptionAnalysis {
    double mean_length = 0;        // words of a caption
    std::size_t vocabulary = 0;    // different words
    double unseen_words = 0;       // share of these that no reference has
    double distinct_1 = 0;         // different words over all words of all captions, and
    double distinct_2 = 0;         // different pairs over all pairs (Li et al. 2016, section 5.1)
    double bad_endings = 0;        // share of captions that end with a word behind which another must follow
};

// Of PTB tokens: hypotheses, and the references of each image.
CaptionAnalysis analyse_captions(const std::vector<Tokens>& hypotheses,
                                 const std::vector<std::vector<Tokens>>& references);

// Whether a caption ends with one of the words that end none (the list of Guo et al. 2018, "Improving reinforcement
// learning based image captioning with natural language prior"): training and score count the same.
bool is_bad_ending(const Tokens& words);

}    // namespace blip

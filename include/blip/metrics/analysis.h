// What a set of captions is like, whatever its scores. Called by the verb score.
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

// "a", "with", "and", "is", ...: English words that end no caption.
bool is_bad_ending(const std::string& word);

}    // namespace blip

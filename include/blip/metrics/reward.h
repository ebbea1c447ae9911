// What a drawn caption is rewarded with in self-critical training (Rennie et al. 2017): CIDEr-D and BLEU-4 of one
// caption against the picture's own, with the end token as a word in both, so that an unfinished caption misses the
// n-grams that end one (Hirsch et al. 2023, SacreEOS). Used by tasks/caption/self_critical.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "blip/metrics/caption_scores.h"
#include "blip/metrics/cider.h"

namespace blip {

struct RewardWeights {
    double cider = 1;    // CIDEr-D, 10 at best, n-grams of 1 to 4 words, sigma 6
    double bleu4 = 0;    // BLEU-4 of the caption alone, 1 at best
};

class CaptionReward {
  public:
    // references[i]: captions of image i as people wrote them, at least one each. frequencies: of read_frequencies();
    // null: counted over these images. threads: that tokenise; rewards do not depend on it. What is given need not
    // outlive the call. Throws bad_data for an image without captions.
    CaptionReward(const std::vector<std::vector<std::string_view>>& references, RewardWeights weights, int threads,
                  const DocumentFrequencies* frequencies = nullptr);

    // Document frequencies of these captions as the reward counts them, with the end token.
    static DocumentFrequencies frequencies_of(const std::vector<std::vector<std::string_view>>& references,
                                              int threads);
    // Such a file. Throws as read_document_frequencies(), and bad_data for frequencies without the end token, or of
    // another split than train.
    static DocumentFrequencies read_frequencies(const std::filesystem::path& file);

    // The reward of a caption (UTF-8). ended: whether it has an end token. Thread-safe.
    double operator()(std::string_view caption, bool ended, std::size_t image) const;
    // The caption's words as they are scored: without a final full stop, as the PTB tokens of the evaluation.
    static Tokens words(std::string_view caption);
    // Name, settings and version, for logs.
    std::string signature() const;

  private:
    RewardWeights weights_;
    std::vector<std::vector<Tokens>> references_;    // empty unless BLEU-4 counts
    std::string frequencies_;                        // for the signature
    CiderReferences cider_;
};

}    // namespace blip

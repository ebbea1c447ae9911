// CIDEr-D (Vedantam et al. 2015) as the COCO evaluation computes it: n-grams of 1 to 4 words weighted by their rarity
// over images, counts clipped, a Gaussian penalty on the difference in length.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "blip/metrics/caption_scores.h"
#include "blip/metrics/document_frequencies.h"

namespace blip {

// Document frequencies, prepared once for any number of scores. Cheap to copy; may be used by several threads at once.
class CiderScorer {
  public:
    // The frequencies need not outlive the call.
    explicit CiderScorer(const DocumentFrequencies& frequencies);

    struct Prepared;
    const Prepared& prepared() const { return *prepared_; }

  private:
    std::shared_ptr<const Prepared> prepared_;
};

// The corpus score is the mean over images. hypotheses[i] against references[i] (at least one each). Document
// frequencies are the scorer's, without one those of the references: then a score depends on which images are scored
// together. 10 is the score of a caption equal to its only reference (where its n-grams are rarer than one in every
// image). Throws bad_data on different sizes or no references.
CaptionScores cider(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references,
                    const CiderScorer* scorer = nullptr);

// How different the captions of an image are, from 0 (all alike) to 1 (none has an n-gram of another): self-CIDEr of
// Wang and Chan 2019, "Describing like humans: on diversity in image captioning", -log_m(max_i s_i / sum_i s_i), where
// s_i are square roots of the eigenvalues of the m x m matrix of plain CIDEr (no clipping, no penalty, at most 1)
// between the captions. captions[i]: at least two of image i. Document frequencies are the scorer's.
std::vector<double> self_cider(const std::vector<std::vector<Tokens>>& captions, const CiderScorer& scorer);
// The same with the document frequencies of these references.
std::vector<double> self_cider(const std::vector<std::vector<Tokens>>& captions,
                               const std::vector<std::vector<Tokens>>& references);

// Images whose captions are scored one at a time, again and again: references are counted once. Memory: about 8 bytes
// for each n-gram of each reference. May be used by several threads at once.
class CiderReferences {
  public:
    // references[i] are image i's. frequencies: null for the references' own. Throws bad_data if an image has none.
    // What is given need not outlive the call.
    explicit CiderReferences(const std::vector<std::vector<Tokens>>& references,
                             const DocumentFrequencies* frequencies = nullptr);
    ~CiderReferences();
    CiderReferences(CiderReferences&&) noexcept;

    // Of a caption of that image, in the time of its own n-grams and its references'.
    double score(const Tokens& hypothesis, std::size_t image) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}    // namespace blip

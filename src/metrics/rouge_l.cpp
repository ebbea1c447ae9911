// See rouge_l.h.
#include "blip/metrics/rouge_l.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "src/metrics/counted_captions.h"

namespace blip {
namespace {

constexpr double beta_squared = 1.2 * 1.2;

using Numbers = std::span<const std::uint32_t>;

// The evaluation splits joined tokens at spaces, so that no tokens are one empty word.
Numbers or_empty_word(Numbers tokens) {
    static constexpr std::uint32_t empty_word[] = {0};
    return tokens.empty() ? Numbers(empty_word) : tokens;
}

// Lengths of longest common subsequences, 64 words of one caption at a time: bit j of a block is 0 where the
// subsequence grows with word j (Hyyro 2004, "Bit-parallel LCS-length computation revisited").
class CommonSubsequence {
  public:
    std::size_t length(Numbers a, Numbers b) {
        carry_.assign(a.size(), 0);    // out of the blocks so far, at each word of a
        std::size_t common = 0;
        for (std::size_t begin = 0; begin < b.size(); begin += 64) {
            const Numbers block = b.subspan(begin, std::min<std::size_t>(64, b.size() - begin));
            common += add_block(a, block);
        }
        return common;
    }

  private:
    std::size_t add_block(Numbers a, Numbers block) {
        for (std::size_t j = 0; j < block.size(); ++j) places_of(block[j]) |= std::uint64_t{1} << j;
        std::uint64_t grown = ~std::uint64_t{0};
        for (std::size_t i = 0; i < a.size(); ++i) {
            const std::uint64_t equal = grown & places_of(a[i]);
            const std::uint64_t first = grown + equal, sum = first + carry_[i];
            carry_[i] = first < grown || sum < first;
            grown = sum | (grown - equal);
        }
        for (const std::uint32_t word : block) places_[word] = 0;
        const std::uint64_t words = block.size() == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << block.size()) - 1;
        return static_cast<std::size_t>(std::popcount(~grown & words));
    }
    std::uint64_t& places_of(std::uint32_t word) {
        if (word >= places_.size()) places_.resize(std::size_t{2} * word + 1, 0);
        return places_[word];
    }

    std::vector<std::uint64_t> places_;    // of each word number: where it stands in the block
    std::vector<std::uint8_t> carry_;
};

double score(const CountedCaptions& captions, std::size_t image, CommonSubsequence& subsequence) {
    const Numbers hypothesis = or_empty_word(captions.hypothesis(image).tokens);
    double precision = 0, recall = 0;
    for (std::size_t k = 0; k < captions.reference_count(image); ++k) {
        const Numbers reference = or_empty_word(captions.reference(image, k).tokens);
        const auto common = static_cast<double>(subsequence.length(hypothesis, reference));
        precision = std::max(precision, common / static_cast<double>(hypothesis.size()));
        recall = std::max(recall, common / static_cast<double>(reference.size()));
    }
    if (precision == 0 || recall == 0) return 0;
    return (1 + beta_squared) * precision * recall / (recall + beta_squared * precision);
}

}    // namespace

CaptionScores rouge_l(const CountedCaptions& captions) {
    CaptionScores scores;
    CommonSubsequence subsequence;
    for (std::size_t i = 0; i < captions.images(); ++i) scores.per_image.push_back(score(captions, i, subsequence));
    scores.corpus = mean(scores.per_image);
    return scores;
}

CaptionScores rouge_l(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references) {
    return rouge_l(CountedCaptions("ROUGE-L", hypotheses, references));
}

}    // namespace blip

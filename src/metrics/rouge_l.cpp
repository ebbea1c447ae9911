// See rouge_l.h.
#include "blip/metrics/rouge_l.h"

#include <algorithm>

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

// row: scratch
std::uint32_t longest_common_subsequence(Numbers a, Numbers b, std::vector<std::uint32_t>& row) {
    row.assign(b.size() + 1, 0);    // of a's beginning so far against b's beginnings
    for (const std::uint32_t word : a) {
        std::uint32_t diagonal = 0, left = 0;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::uint32_t above = row[j + 1];
            left = word == b[j] ? diagonal + 1 : std::max(above, left);
            row[j + 1] = left;
            diagonal = above;
        }
    }
    return row.back();
}

double score(const CountedCaptions& captions, std::size_t image, std::vector<std::uint32_t>& row) {
    const Numbers hypothesis = or_empty_word(captions.hypothesis(image).tokens);
    double precision = 0, recall = 0;
    for (std::size_t k = 0; k < captions.reference_count(image); ++k) {
        const Numbers reference = or_empty_word(captions.reference(image, k).tokens);
        const double common = longest_common_subsequence(hypothesis, reference, row);
        precision = std::max(precision, common / static_cast<double>(hypothesis.size()));
        recall = std::max(recall, common / static_cast<double>(reference.size()));
    }
    if (precision == 0 || recall == 0) return 0;
    return (1 + beta_squared) * precision * recall / (recall + beta_squared * precision);
}

}    // namespace

CaptionScores rouge_l(const CountedCaptions& captions) {
    CaptionScores scores;
    std::vector<std::uint32_t> row;
    for (std::size_t i = 0; i < captions.images(); ++i) scores.per_image.push_back(score(captions, i, row));
    scores.corpus = mean(scores.per_image);
    return scores;
}

CaptionScores rouge_l(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references) {
    return rouge_l(CountedCaptions("ROUGE-L", hypotheses, references));
}

}    // namespace blip

// See rouge_l.h.
#include "blip/metrics/rouge_l.h"

#include <algorithm>

#include "src/metrics/ngrams.h"

namespace blip {
namespace {

constexpr double beta_squared = 1.2 * 1.2;

// The evaluation splits joined tokens at spaces, so that no tokens are one empty word.
const Tokens& or_empty_word(const Tokens& tokens) {
    static const Tokens empty_word = {""};
    return tokens.empty() ? empty_word : tokens;
}

std::size_t longest_common_subsequence(const Tokens& a, const Tokens& b) {
    std::vector<std::size_t> row(b.size() + 1, 0);    // of a's beginning so far against b's beginnings
    for (const std::string& word : a) {
        std::size_t diagonal = 0;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t above = row[j + 1];
            row[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, row[j]);
            diagonal = above;
        }
    }
    return row.back();
}

double score(const Tokens& hypothesis, const std::vector<Tokens>& references) {
    double precision = 0, recall = 0;
    for (const Tokens& given : references) {
        const Tokens& reference = or_empty_word(given);
        const auto common = static_cast<double>(longest_common_subsequence(hypothesis, reference));
        precision = std::max(precision, common / static_cast<double>(hypothesis.size()));
        recall = std::max(recall, common / static_cast<double>(reference.size()));
    }
    if (precision == 0 || recall == 0) return 0;
    return (1 + beta_squared) * precision * recall / (recall + beta_squared * precision);
}

}    // namespace

CaptionScores rouge_l(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references) {
    check_references("ROUGE-L", hypotheses.size(), references);
    CaptionScores scores;
    for (std::size_t i = 0; i < hypotheses.size(); ++i)
        scores.per_image.push_back(score(or_empty_word(hypotheses[i]), references[i]));
    scores.corpus = mean(scores.per_image);
    return scores;
}

}    // namespace blip

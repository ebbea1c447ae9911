// BLEU-1..4 as the COCO evaluation computes it. Called by coco_eval on rank 0.
#include "blip/metrics/bleu.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "src/metrics/counted_captions.h"

namespace blip {
namespace {

// Of an image, or summed over images.
struct Statistics {
    // n-grams of the hypothesis, and how many of them are right
    std::array<double, longest_gram> guesses{}, correct{};
    double hypothesis_length = 0;
    double reference_length = 0;
};
using StatisticsValues = DoublesOf<Statistics>;

// most: scratch, the largest count in any reference of each of the hypothesis's n-grams
Statistics measure(const CountedCaptions& captions, std::size_t image, std::vector<std::uint32_t>& most) {
    const CountedCaption guess = captions.hypothesis(image);
    Statistics result;
    result.hypothesis_length = guess.words;
    most.assign(guess.grams.size(), 0);
    double closest = -1;
    for (std::size_t k = 0; k < captions.reference_count(image); ++k) {
        const CountedCaption reference = captions.reference(image, k);
        auto other = reference.grams.begin();
        for (std::size_t g = 0; g < guess.grams.size() && other != reference.grams.end(); ++g) {
            while (other != reference.grams.end() && other->gram < guess.grams[g].gram) ++other;
            if (other != reference.grams.end() && other->gram == guess.grams[g].gram)
                most[g] = std::max(most[g], other->count);
        }
        const double length = reference.words;
        const double distance = std::abs(length - result.hypothesis_length);
        const double best = std::abs(closest - result.hypothesis_length);
        if (closest < 0 || distance < best || (distance == best && length < closest)) closest = length;
    }
    result.reference_length = closest;
    for (std::size_t n = 0; n < longest_gram; ++n)
        result.guesses[n] = std::max(0.0, result.hypothesis_length - static_cast<double>(n));
    for (std::size_t g = 0; g < guess.grams.size(); ++g)
        result.correct[captions.grams().length(guess.grams[g].gram) - 1] += std::min(guess.grams[g].count, most[g]);
    return result;
}

// The constants keep empty hypotheses finite.
std::array<double, 4> score(const Statistics& s) {
    constexpr double tiny = 1e-15, small = 1e-9;
    const double ratio = (s.hypothesis_length + tiny) / (s.reference_length + small);
    const double brevity = ratio < 1 ? std::exp(1 - 1 / ratio) : 1.0;
    std::array<double, 4> result{};
    double product = 1.0;
    for (std::size_t n = 0; n < longest_gram; ++n) {
        product *= (s.correct[n] + tiny) / (s.guesses[n] + small);
        result[n] = std::pow(product, 1.0 / static_cast<double>(n + 1)) * brevity;
    }
    return result;
}

void score_of_sums(const double* sums, double, double* result) {
    StatisticsValues values;
    std::copy_n(sums, values.size(), values.begin());
    const std::array<double, 4> scores = score(std::bit_cast<Statistics>(values));
    std::copy(scores.begin(), scores.end(), result);
}

}    // namespace

BleuScores bleu(const CountedCaptions& captions) {
    StatisticsValues corpus{};
    BleuScores scores;
    scores.per_image.reserve(captions.images());
    scores.statistics = {{"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4"}, corpus.size(), {}, score_of_sums};
    scores.statistics.values.reserve(corpus.size() * captions.images());
    std::vector<std::uint32_t> most;
    for (std::size_t i = 0; i < captions.images(); ++i) {
        const Statistics one = measure(captions, i, most);
        scores.per_image.push_back(score(one));
        const auto values = std::bit_cast<StatisticsValues>(one);
        scores.statistics.values.insert(scores.statistics.values.end(), values.begin(), values.end());
        for (std::size_t k = 0; k < corpus.size(); ++k) corpus[k] += values[k];
    }
    if (captions.images() > 0) scores.corpus = score(std::bit_cast<Statistics>(corpus));
    return scores;
}

BleuScores bleu(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references) {
    return bleu(CountedCaptions("BLEU", hypotheses, references));
}

}    // namespace blip

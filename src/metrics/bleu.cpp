// BLEU-1..4 as the COCO evaluation computes it. Called by coco_eval on rank 0.
#include "blip/metrics/bleu.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/metrics/ngrams.h"

namespace blip {
namespace {

struct Statistics {
    std::array<double, longest_gram> guesses{},
        correct{};    // n-grams of the hypothesis, and how many of them are right
    double hypothesis_length = 0;
    double reference_length = 0;

    Statistics& operator+=(const Statistics& other) {
        for (std::size_t n = 0; n < longest_gram; ++n) {
            guesses[n] += other.guesses[n];
            correct[n] += other.correct[n];
        }
        hypothesis_length += other.hypothesis_length;
        reference_length += other.reference_length;
        return *this;
    }
};

Statistics measure(Words& words, const Tokens& hypothesis, const std::vector<Tokens>& references) {
    const std::vector<std::uint32_t> guess = words.numbers(hypothesis);
    Statistics result;
    result.hypothesis_length = static_cast<double>(guess.size());
    GramCounts most;    // the largest count in any reference
    double closest = -1;
    for (const Tokens& reference : references) {
        const std::vector<std::uint32_t> numbers = words.numbers(reference);
        for (const auto& [gram, count] : count_grams(numbers)) {
            int& largest = most[gram];
            largest = std::max(largest, count);
        }
        const auto length = static_cast<double>(numbers.size());
        const double distance = std::abs(length - result.hypothesis_length);
        const double best = std::abs(closest - result.hypothesis_length);
        if (closest < 0 || distance < best || (distance == best && length < closest)) closest = length;
    }
    result.reference_length = closest;
    for (std::size_t n = 0; n < longest_gram; ++n) {
        result.guesses[n] = std::max(0.0, result.hypothesis_length - static_cast<double>(n));
    }
    for (const auto& [gram, count] : count_grams(guess)) {
        const std::size_t n = gram_length(gram) - 1;
        const auto found = most.find(gram);
        if (found != most.end()) result.correct[n] += std::min(count, found->second);
    }
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

}    // namespace

BleuScores bleu(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references) {
    check_references("BLEU", hypotheses.size(), references);
    Words words;
    Statistics corpus;
    BleuScores scores;
    scores.per_image.reserve(hypotheses.size());
    for (std::size_t i = 0; i < hypotheses.size(); ++i) {
        const Statistics one = measure(words, hypotheses[i], references[i]);
        scores.per_image.push_back(score(one));
        corpus += one;
    }
    if (!hypotheses.empty()) scores.corpus = score(corpus);
    return scores;
}

}    // namespace blip

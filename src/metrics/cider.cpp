// See cider.h.
#include "blip/metrics/cider.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "src/metrics/ngrams.h"

namespace blip {
namespace {

constexpr double sigma = 6;    // of the penalty on lengths

// A caption as weighted n-grams.
struct Weighted {
    std::unordered_map<Gram, double, GramHash> weights;
    std::array<double, longest_gram> norms{};    // by n
    double bigrams = 0;                          // what the evaluation takes for the length
};

Weighted weigh(const GramCounts& counts, const GramCounts& images_with, double log_images) {
    Weighted result;
    result.weights.reserve(counts.size());
    for (const auto& [gram, count] : counts) {
        const auto found = images_with.find(gram);
        const double rarity = log_images - std::log(found == images_with.end() ? 1.0 : found->second);
        const double weight = count * rarity;
        const std::size_t n = gram_length(gram);
        result.weights.emplace(gram, weight);
        result.norms[n - 1] += weight * weight;
        if (n == 2) result.bigrams += count;
    }
    for (double& norm : result.norms) norm = std::sqrt(norm);
    return result;
}

// Mean over n of the clipped cosine, with the penalty.
double similarity(const Weighted& guess, const Weighted& reference) {
    std::array<double, longest_gram> products{};
    for (const auto& [gram, weight] : guess.weights) {
        const auto found = reference.weights.find(gram);
        if (found != reference.weights.end())
            products[gram_length(gram) - 1] += std::min(weight, found->second) * found->second;
    }
    double sum = 0;
    for (std::size_t n = 0; n < longest_gram; ++n) {
        const double norms = guess.norms[n] * reference.norms[n];
        sum += norms == 0 ? products[n] : products[n] / norms;
    }
    const double difference = guess.bigrams - reference.bigrams;
    return sum / longest_gram * std::exp(-difference * difference / (2 * sigma * sigma));
}

}    // namespace

CaptionScores cider(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references) {
    check_references("CIDEr", hypotheses.size(), references);
    Words words;
    std::vector<std::vector<GramCounts>> counted(references.size());
    GramCounts images_with;    // n-gram -> images that have it in a reference
    for (std::size_t i = 0; i < references.size(); ++i) {
        GramCounts of_image;
        for (const Tokens& reference : references[i]) {
            counted[i].push_back(count_grams(words.numbers(reference)));
            of_image.insert(counted[i].back().begin(), counted[i].back().end());
        }
        for (const auto& [gram, count] : of_image) ++images_with[gram];
    }
    const double log_images = std::log(static_cast<double>(references.size()));
    CaptionScores scores;
    for (std::size_t i = 0; i < hypotheses.size(); ++i) {
        const Weighted guess = weigh(count_grams(words.numbers(hypotheses[i])), images_with, log_images);
        double sum = 0;
        for (const GramCounts& reference : counted[i])
            sum += similarity(guess, weigh(reference, images_with, log_images));
        scores.per_image.push_back(10 * sum / static_cast<double>(counted[i].size()));
    }
    scores.corpus = mean(scores.per_image);
    return scores;
}

}    // namespace blip

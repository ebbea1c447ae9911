// Scores from alignments. See meteor.h.
#include "blip/metrics/meteor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>

#include "blip/base/parallel_for.h"
#include "src/metrics/counted_captions.h"
#include "src/metrics/meteor/align.h"
#include "src/metrics/meteor/words.h"

namespace blip {
namespace {

struct MeteorSide {
    double words = 0, functions = 0, matched = 0;
    std::array<double, meteor_weights.size()> content{}, function{};    // matched words by module
};

struct MeteorCounts {
    MeteorSide hypothesis, reference;
    double chunks = 0;    // that count: none where all words of both are matched in one piece
};

// Meteor Universal, table of parameters for English "rank": precision against recall, steepness and weight of the
// penalty, content against function words.
constexpr double alpha = 0.85, beta = 0.20, gamma = 0.60, delta = 0.75;

double weigh(double words, double functions) { return delta * (words - functions) + (1 - delta) * functions; }

double matched(const MeteorSide& side) {
    double sum = 0;
    for (std::size_t module = 0; module < meteor_weights.size(); ++module)
        sum += meteor_weights[module] * (delta * side.content[module] + (1 - delta) * side.function[module]);
    return sum;
}

// Of the aligner's caption.
MeteorCounts meteor_counts(MeteorAligner& aligner, std::span<const std::uint32_t> reference,
                           const MeteorLexicon& lexicon) {
    const std::span<const std::uint32_t> hypothesis = aligner.caption();
    MeteorCounts counts;
    const auto count = [&](MeteorSide& side, std::span<const std::uint32_t> words) {
        side.words = static_cast<double>(words.size());
        for (const std::uint32_t word : words) side.functions += lexicon[word].function ? 1 : 0;
    };
    count(counts.hypothesis, hypothesis);
    count(counts.reference, reference);
    const auto add = [&](MeteorSide& side, std::uint32_t word, std::size_t module) {
        ++(lexicon[word].function ? side.function : side.content)[module];
        ++side.matched;
    };
    const MeteorAlignment& alignment = aligner.align(reference);
    for (const MeteorMatch& match : alignment.matches) {
        for (std::size_t i = match.hypothesis; i < match.hypothesis_end(); ++i)
            add(counts.hypothesis, hypothesis[i], match.module);
        for (std::size_t j = match.reference; j < match.reference_end(); ++j)
            add(counts.reference, reference[j], match.module);
    }
    const bool whole = alignment.chunks == 1 && counts.hypothesis.matched == counts.hypothesis.words &&
                       counts.reference.matched == counts.reference.words;
    counts.chunks = whole ? 0 : static_cast<double>(alignment.chunks);
    return counts;
}

// What the score is computed from; of a corpus the sum.
struct MeteorStatistics {
    double hypothesis = 0, reference = 0;                    // weighted words
    double hypothesis_matched = 0, reference_matched = 0;    // weighted words that are matched
    double matched = 0, chunks = 0;                          // words, of both sides; pieces that count
};
using MeteorValues = DoublesOf<MeteorStatistics>;

MeteorStatistics meteor_statistics(const MeteorCounts& counts) {
    return {weigh(counts.hypothesis.words, counts.hypothesis.functions),
            weigh(counts.reference.words, counts.reference.functions),
            matched(counts.hypothesis),
            matched(counts.reference),
            counts.hypothesis.matched + counts.reference.matched,
            counts.chunks};
}

// Denkowski and Lavie 2014, section 2.2: weighted precision and recall, their harmonic mean, less the penalty
// gamma (chunks / matched words) ^ beta.
double meteor_score(const MeteorStatistics& s) {
    const double precision = s.hypothesis > 0 ? s.hypothesis_matched / s.hypothesis : 0;
    const double recall = s.reference > 0 ? s.reference_matched / s.reference : 0;
    if (precision <= 0 || recall <= 0) return 0;
    const double mean = precision * recall / (alpha * precision + (1 - alpha) * recall);
    const double fragments = s.chunks / (s.matched / 2);
    return mean * (1 - gamma * std::pow(fragments, beta));
}

void meteor_of_sums(const double* sums, double, double* result) {
    MeteorValues values;
    std::copy_n(sums, values.size(), values.begin());
    *result = meteor_score(std::bit_cast<MeteorStatistics>(values));
}

}    // namespace

CaptionScores meteor(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references,
                     const MeteorData& data, int threads, SummedStatistics* statistics) {
    check_references("METEOR", hypotheses.size(), references);
    const auto images = static_cast<std::int64_t>(hypotheses.size());
    std::vector<std::vector<Tokens>> words(hypotheses.size());    // of each image: the hypothesis, then the references
    parallel_for(images, threads, [&](std::int64_t image) {
        const auto i = static_cast<std::size_t>(image);
        words[i].push_back(meteor_words(hypotheses[i]));
        for (const Tokens& reference : references[i]) words[i].push_back(meteor_words(reference));
    });
    MeteorLexicon lexicon(data.index());
    std::vector<std::vector<std::vector<std::uint32_t>>> numbers(words.size());    // of the words
    for (std::size_t i = 0; i < words.size(); ++i)
        for (const Tokens& caption : words[i]) {
            std::vector<std::uint32_t>& own = numbers[i].emplace_back();
            for (const std::string& word : caption) own.push_back(lexicon.number(word));
        }

    CaptionScores scores;
    scores.per_image.resize(hypotheses.size());
    std::vector<MeteorCounts> best(hypotheses.size());
    const auto score_image = [&](std::size_t i, MeteorAligner& aligner) {
        aligner.caption(numbers[i][0]);
        for (std::size_t k = 1; k <= references[i].size(); ++k) {
            const MeteorCounts counts = meteor_counts(aligner, numbers[i][k], lexicon);
            const double score = meteor_score(meteor_statistics(counts));
            if (k > 1 && score <= scores.per_image[i]) continue;
            scores.per_image[i] = score;
            best[i] = counts;
        }
    };
    const auto workers = std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(images, 1));
    std::atomic<std::size_t> next{0};
    parallel_for(workers, threads, [&](std::int64_t) {
        MeteorAligner aligner(lexicon);
        for (std::size_t i = next++; i < hypotheses.size(); i = next++) score_image(i, aligner);
    });
    DoublesOf<MeteorCounts> sums{};
    for (const MeteorCounts& one : best) {
        const auto more = std::bit_cast<DoublesOf<MeteorCounts>>(one);
        for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += more[k];
    }
    scores.corpus = meteor_score(meteor_statistics(std::bit_cast<MeteorCounts>(sums)));
    if (statistics == nullptr) return scores;
    *statistics = {{"METEOR"}, MeteorValues{}.size(), {}, meteor_of_sums};
    for (const MeteorCounts& one : best) {
        const auto values = std::bit_cast<MeteorValues>(meteor_statistics(one));
        statistics->values.insert(statistics->values.end(), values.begin(), values.end());
    }
    return scores;
}

}    // namespace blip

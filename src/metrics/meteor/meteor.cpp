// Scores from alignments. See meteor.h.
#include "blip/metrics/meteor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <optional>

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
    double chunks = 0;

    MeteorCounts& operator+=(const MeteorCounts& other) {
        const auto add = [](MeteorSide& to, const MeteorSide& from) {
            to.words += from.words;
            to.functions += from.functions;
            to.matched += from.matched;
            for (std::size_t module = 0; module < meteor_weights.size(); ++module) {
                to.content[module] += from.content[module];
                to.function[module] += from.function[module];
            }
        };
        add(hypothesis, other.hypothesis);
        add(reference, other.reference);
        chunks += other.chunks;
        return *this;
    }
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
    counts.chunks = static_cast<double>(alignment.chunks);
    return counts;
}

// The chunks that count: none where all words of both are matched in one piece.
double meteor_penalised_chunks(const MeteorCounts& counts) {
    const bool whole = counts.chunks == 1 && counts.hypothesis.matched == counts.hypothesis.words &&
                       counts.reference.matched == counts.reference.words;
    return whole ? 0 : counts.chunks;
}

// What the score is computed from; of a corpus the sum.
struct MeteorStatistics {
    double hypothesis = 0, reference = 0;                    // weighted words
    double hypothesis_matched = 0, reference_matched = 0;    // weighted words that are matched
    double matched = 0, chunks = 0;                          // words, of both sides; pieces that count

    static constexpr std::size_t width = 6;
    std::array<double, width> values() const {
        return {hypothesis, reference, hypothesis_matched, reference_matched, matched, chunks};
    }
    static MeteorStatistics of(const double* v) { return {v[0], v[1], v[2], v[3], v[4], v[5]}; }
};

MeteorStatistics meteor_statistics(const MeteorCounts& counts, double chunks) {
    return {weigh(counts.hypothesis.words, counts.hypothesis.functions),
            weigh(counts.reference.words, counts.reference.functions),
            matched(counts.hypothesis),
            matched(counts.reference),
            counts.hypothesis.matched + counts.reference.matched,
            chunks};
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

void meteor_of_sums(const double* sums, double, double* result) { *result = meteor_score(MeteorStatistics::of(sums)); }

}    // namespace

CaptionScores meteor(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references,
                     const MeteorData& data, int threads, SummedStatistics* statistics) {
    check_references("METEOR", hypotheses.size(), references);
    const auto images = static_cast<std::int64_t>(hypotheses.size());
    // of each image: the hypothesis, then the references; nothing where the tokens are the words
    std::vector<std::vector<std::optional<std::vector<std::string>>>> words(hypotheses.size());
    const auto caption = [&](std::size_t i, std::size_t k) -> const Tokens& {
        return k == 0 ? hypotheses[i] : references[i][k - 1];
    };
    parallel_for(images, threads, [&](std::int64_t image) {
        const auto i = static_cast<std::size_t>(image);
        words[i].resize(1 + references[i].size());
        for (std::size_t k = 0; k < words[i].size(); ++k)
            if (!are_meteor_words(caption(i, k))) words[i][k] = meteor_words(caption(i, k));
    });
    MeteorLexicon lexicon(data.index());
    std::vector<std::uint32_t> numbers;     // of all captions, one after the other
    std::vector<std::size_t> begins{0};     // of all captions, and the end
    std::vector<std::size_t> first_of{};    // of each image, the caption that is the hypothesis
    for (std::size_t i = 0; i < words.size(); ++i) {
        first_of.push_back(begins.size() - 1);
        for (std::size_t k = 0; k < words[i].size(); ++k) {
            for (const std::string& word : words[i][k] ? *words[i][k] : caption(i, k))
                numbers.push_back(lexicon.number(word));
            begins.push_back(numbers.size());
        }
    }
    const auto numbered = [&](std::size_t i, std::size_t k) {
        const std::size_t at = first_of[i] + k;
        return std::span<const std::uint32_t>(numbers).subspan(begins[at], begins[at + 1] - begins[at]);
    };

    CaptionScores scores;
    scores.per_image.resize(hypotheses.size());
    std::vector<MeteorCounts> best(hypotheses.size());
    std::vector<double> chunks(hypotheses.size());
    const auto score_image = [&](std::size_t i, MeteorAligner& aligner) {
        aligner.caption(numbered(i, 0));
        for (std::size_t k = 1; k <= references[i].size(); ++k) {
            const MeteorCounts counts = meteor_counts(aligner, numbered(i, k), lexicon);
            const double penalised = meteor_penalised_chunks(counts),
                         score = meteor_score(meteor_statistics(counts, penalised));
            if (k > 1 && score <= scores.per_image[i]) continue;
            scores.per_image[i] = score;
            best[i] = counts;
            chunks[i] = penalised;
        }
    };
    const auto workers = std::clamp<std::int64_t>(threads, 1, std::max<std::int64_t>(images, 1));
    std::atomic<std::size_t> next{0};
    parallel_for(workers, threads, [&](std::int64_t) {
        MeteorAligner aligner(lexicon);
        for (std::size_t i = next++; i < hypotheses.size(); i = next++) score_image(i, aligner);
    });
    MeteorCounts sum;
    double all_chunks = 0;
    for (std::size_t i = 0; i < best.size(); ++i) {
        sum += best[i];
        all_chunks += chunks[i];
    }
    scores.corpus = meteor_score(meteor_statistics(sum, all_chunks));
    if (statistics != nullptr) {
        *statistics = {{"METEOR"}, MeteorStatistics::width, {}, meteor_of_sums};
        for (std::size_t i = 0; i < best.size(); ++i) {
            const auto values = meteor_statistics(best[i], chunks[i]).values();
            statistics->values.insert(statistics->values.end(), values.begin(), values.end());
        }
    }
    return scores;
}

}    // namespace blip

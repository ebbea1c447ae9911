// What METEOR counts of a caption against a reference, and the formula over it. Internal to the metrics layer.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "src/metrics/meteor/align.h"

namespace blip {

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

// Of the aligner's caption.
MeteorCounts meteor_counts(MeteorAligner& aligner, std::span<const std::uint32_t> reference,
                           const MeteorLexicon& lexicon);

// The chunks that count: none where all words of both are matched in one piece.
double meteor_penalised_chunks(const MeteorCounts& counts);

// Denkowski and Lavie 2014, section 2.2: weighted precision and recall, their harmonic mean, less the penalty
// gamma (chunks / matched words) ^ beta.
double meteor_score(const MeteorCounts& counts, double chunks);

}    // namespace blip

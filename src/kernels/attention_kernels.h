// Bodies of attention's probabilities and their gradient: see attention_probabilities.h. One team a row of scores.
// Internal to the kernels layer. Legend: R rows (batch, head, query), K keys,
// of which `real` are real and the rest fills a row up.
#pragma once

#include <cmath>

#include "src/kernels/dropout_kernel.h"
#include "src/kernels/row_team.h"

namespace blip {

template <class Value>
struct ProbabilitiesBody {
    static constexpr const char* name = "attention probabilities";
    static constexpr bool rows_by_teams = true;
    const Value* scores;               // [R, K]
    Value *probabilities, *dropped;    // [R, K]; dropped null: nothing is dropped
    DropoutSite masks;
    float scale;
    std::int64_t rows, keys, real;
    std::int64_t queries;    // with a causal mask row r sees r % queries + 1 keys; 0: without one

    template <class Team>
    BLIP_HOST_DEVICE void operator()(const Team& team, std::int64_t row) const {
        const Value* from = scores + row * keys;
        const std::int64_t seen = queries > 0 ? row % queries + 1 : real;
        const auto scaled = [&](std::int64_t k) { return as_float(from[k]) * scale; };
        const float most = team.largest(seen, -INFINITY, scaled);
        const float total = team.sum(seen, [&](std::int64_t k) { return expf(scaled(k) - most); });
        const MaskRow mask_row = masks.row_of(row);
        team.each(mask_blocks(real), [&](std::int64_t block) {
            masks.in_block(mask_row, block, real, [&](std::int64_t k, float factor) {
                const float p = k < seen ? rounded<Value>(expf(scaled(k) - most) / total) : 0.0F;
                store(p, probabilities[row * keys + k]);
                if (dropped != nullptr) store(p * factor, dropped[row * keys + k]);
            });
        });
        team.each(keys - real, [&](std::int64_t filling) {
            const std::int64_t at = row * keys + real + filling;
            store(0.0F, probabilities[at]);
            if (dropped != nullptr) store(0.0F, dropped[at]);
        });
    }
};

template <class Value>
struct ProbabilitiesBackwardBody {
    static constexpr const char* name = "attention probabilities backward";
    static constexpr bool rows_by_teams = true;
    const Value *gradient, *probabilities;    // [R, K]; gradient of what was given out
    Value* dscores;
    DropoutSite masks;
    float scale;
    std::int64_t rows, keys, real;

    template <class Team>
    BLIP_HOST_DEVICE void operator()(const Team& team, std::int64_t row) const {
        const std::int64_t at = row * keys;
        // of p before dropout, times p
        const auto product = [&](std::int64_t k, float factor) {
            return as_float(gradient[at + k]) * factor * as_float(probabilities[at + k]);
        };
        const MaskRow mask_row = masks.row_of(row);
        const float dot = team.sum(mask_blocks(real), [&](std::int64_t block) {
            float sum = 0;
            masks.in_block(mask_row, block, real, [&](std::int64_t k, float factor) { sum += product(k, factor); });
            return sum;
        });
        team.each(mask_blocks(real), [&](std::int64_t block) {
            masks.in_block(mask_row, block, real, [&](std::int64_t k, float factor) {
                store((product(k, factor) - as_float(probabilities[at + k]) * dot) * scale, dscores[at + k]);
            });
        });
        team.each(keys - real, [&](std::int64_t filling) { store(0.0F, dscores[at + real + filling]); });
    }
};

}    // namespace blip

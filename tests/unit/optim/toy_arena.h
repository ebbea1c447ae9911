// A small arena with uneven parameters and a way to fill flat memory from (what, place); shared by the tests of optim
// and checkpoint, in one process and over ranks.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "blip/params/arena.h"

namespace blip::test {

// Five parameters of 1 to 1,500 elements; with small buckets they span several.
inline Layout toy_layout() {
    Layout layout;
    layout.declare("first.weight", {30, 50}, Init::normal(0.02));
    layout.declare("first.bias", {30}, Init::zeros());
    layout.declare("scale", {1}, Init::ones());
    layout.declare("second.weight", {7, 11, 3}, Init::normal(0.02));
    layout.declare("second.bias", {401}, Init::uniform(0.1));
    return layout;
}

// The same parameters, three of them joined.
inline Layout joined_toy_layout() {
    Layout layout = toy_layout();
    layout.join({layout.find("second.bias"), layout.find("first.bias"), layout.find("scale")});
    return layout;
}

// The same parameters, two of them frozen.
inline Layout frozen_toy_layout() {
    Layout layout = toy_layout();
    layout.freeze("first.");
    return layout;
}

// Deterministic, irregular, in (-1, 1); the same for a parameter's element in any arena.
inline float toy_value(int what, ParamId param, std::int64_t element) {
    return std::sin(static_cast<float>(what) * 1.7F + static_cast<float>(param) * 0.71F +
                    static_cast<float>(element) * 0.377F);
}

// All parameters through a sink, whatever the arena's placement.
inline void write_toy(const Arena& arena, const WeightSink& sink, int what) {
    for (const ParamPiece& piece : arena.pieces({0, arena.length()})) {
        std::vector<float> values(static_cast<std::size_t>(piece.elements.length()));
        for (std::int64_t i = 0; i < piece.elements.length(); ++i)
            values[static_cast<std::size_t>(i)] = toy_value(what, piece.param, i);
        sink(piece.arena_offset, values);
    }
}

// Fills the parts of parameters inside a range of the arena; data points at range.begin.
inline void fill_toy(const Arena& arena, Range range, float* data, int what) {
    for (const ParamPiece& piece : arena.pieces(range)) {
        for (std::int64_t i = 0; i < piece.elements.length(); ++i) {
            data[piece.arena_offset - range.begin + i] = toy_value(what, piece.param, piece.elements.begin + i);
        }
    }
}

}    // namespace blip::test

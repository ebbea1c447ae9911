// Bodies of sums over rows, and of what is computed on the way: see column_sums.h, bias_gelu.h, residual_norm.h. The
// rows are cut into chunks; one body adds up a column of a chunk, a second the chunks, each in a fixed order. Internal
// to the kernels layer. Legend: R rows, W width, C chunks.
#pragma once

#include <cmath>
#include <cstddef>

#include "src/kernels/block_team.h"
#include "src/kernels/number.h"

namespace blip {

struct Chunks {
    std::int64_t rows, width, number;    // the rows are shared out evenly

    static constexpr std::int64_t most_by_columns = 192;    // with a thread for each column of a chunk
    static constexpr std::int64_t most_by_blocks = 1056;    // with a block for each chunk: 8 x 132 multiprocessors

    // Of 16 rows, or of as many more as at most so many chunks need.
    static Chunks of(std::int64_t rows, std::int64_t width, std::int64_t most_chunks = most_by_columns) {
        const std::int64_t of_16 = (rows + 15) / 16;
        return {rows, width, of_16 < most_chunks ? of_16 : most_chunks};
    }
    BLIP_HOST_DEVICE std::int64_t count() const { return number; }
    BLIP_HOST_DEVICE std::int64_t first_row(std::int64_t chunk) const { return chunk * rows / number; }
    BLIP_HOST_DEVICE std::int64_t end_row(std::int64_t chunk) const { return first_row(chunk + 1); }
    std::size_t bytes(std::size_t of_one) const { return static_cast<std::size_t>(rows * width) * of_one; }
    std::size_t partial_bytes() const { return static_cast<std::size_t>(count() * width) * sizeof(float); }
};

// index = chunk * W + column
template <class Value>
struct ColumnSumBody {
    static constexpr const char* name = "column sums";
    const Value* from;    // [R, W]
    float* partial;       // [C, W]
    Chunks chunks;

    std::int64_t count() const { return chunks.count() * chunks.width; }
    BLIP_HOST_DEVICE void operator()(std::int64_t index) const {
        const std::int64_t chunk = index / chunks.width, column = index % chunks.width;
        float sum = 0;
        for (std::int64_t row = chunks.first_row(chunk); row < chunks.end_row(chunk); ++row)
            sum += as_float(from[row * chunks.width + column]);
        partial[index] = sum;
    }
    template <class See>
    void each_operand(const See& see) const {
        see(from, chunks.bytes(sizeof(Value)), false);
        see(partial, chunks.partial_bytes(), true);
    }
    template <class Map>
    void map_pointers(const Map& map) {
        map(from), map(partial);
    }
};

// GELU with the error function (Hendrycks and Gimpel 2016): v * Phi(v).
BLIP_HOST_DEVICE inline float gelu(float v) { return 0.5F * v * (1.0F + erff(v * 0.70710678118654752F)); }
BLIP_HOST_DEVICE inline float gelu_slope(float v) {
    const float below = 0.5F * (1.0F + erff(v * 0.70710678118654752F));
    return below + v * expf(-0.5F * v * v) * 0.39894228040143268F;
}

// index: of a group of four elements
template <class Value>
struct BiasGeluBody {
    static constexpr const char* name = "bias gelu";
    const Value *x, *bias;    // [R, W], [W]
    Value* y;
    std::int64_t rows, width;

    std::int64_t count() const { return (rows * width + 3) / 4; }
    BLIP_HOST_DEVICE void operator()(std::int64_t group) const {
        std::int64_t column = 4 * group % width;
        for (std::int64_t i = 4 * group; i < 4 * group + 4 && i < rows * width; ++i) {
            store(gelu(as_float(x[i]) + as_float(bias[column])), y[i]);
            column = column + 1 == width ? 0 : column + 1;
        }
    }
    template <class See>
    void each_operand(const See& see) const {
        const auto bytes = static_cast<std::size_t>(rows * width) * sizeof(Value);
        see(x, bytes, false);
        see(bias, static_cast<std::size_t>(width) * sizeof(Value), false);
        see(y, bytes, true);
    }
    template <class Map>
    void map_pointers(const Map& map) {
        map(x), map(bias), map(y);
    }
};

// The gradient of x, and a chunk's sum of it for the bias.
template <class Value>
struct BiasGeluBackwardBody {
    static constexpr const char* name = "bias gelu backward";
    const Value *dy, *x, *bias;
    Value* dx;
    float* partial;    // [C, W]
    Chunks chunks;

    std::int64_t count() const { return chunks.count() * chunks.width; }
    BLIP_HOST_DEVICE void operator()(std::int64_t index) const {
        const std::int64_t chunk = index / chunks.width, column = index % chunks.width;
        const float shift = as_float(bias[column]);
        float sum = 0;
        for (std::int64_t row = chunks.first_row(chunk); row < chunks.end_row(chunk); ++row) {
            const std::int64_t at = row * chunks.width + column;
            const float gradient = rounded<Value>(as_float(dy[at]) * gelu_slope(as_float(x[at]) + shift));
            store(gradient, dx[at]);
            sum += gradient;
        }
        partial[index] = sum;
    }
    template <class See>
    void each_operand(const See& see) const {
        for (const Value* read : {dy, x}) see(read, chunks.bytes(sizeof(Value)), false);
        see(bias, static_cast<std::size_t>(chunks.width) * sizeof(Value), false);
        see(dx, chunks.bytes(sizeof(Value)), true);
        see(partial, chunks.partial_bytes(), true);
    }
    template <class Map>
    void map_pointers(const Map& map) {
        map(dy), map(x), map(bias), map(dx), map(partial);
    }
};

// into[k][column] += the sum of partial[k][chunk][column]. A block has 32 columns, each of its teams every 32nd chunk;
// then the teams' sums are added, one after another.
struct AddChunksBody {
    static constexpr const char* name = "add chunks";
    static constexpr int teams_of_a_block = 32, blocks_at_once = 1;
    static constexpr int most = 3;
    const float* partial;    // [sums, C, W]
    float* into[most];       // [W] each
    int sums;
    std::int64_t chunks, width;

    BLIP_HOST_DEVICE std::int64_t strips() const { return (width + team_lanes - 1) / team_lanes; }
    std::int64_t blocks() const { return sums * strips(); }
    std::int64_t scratch_floats() const { return teams_of_a_block * team_lanes; }
    template <class Block>
    BLIP_HOST_DEVICE void operator()(const Block& block, std::int64_t index) const {
        const std::int64_t k = index / strips(), first = index % strips() * team_lanes;
        const float* own = partial + k * chunks * width + first;
        block.each(teams_of_a_block * team_lanes, [&](int i) {
            const int column = i % team_lanes;
            float sum = 0;
            if (first + column < width)
                for (std::int64_t chunk = i / team_lanes; chunk < chunks; chunk += teams_of_a_block)
                    sum += own[chunk * width + column];
            block.scratch[i] = sum;
        });
        block.meet();
        block.each(team_lanes, [&](int column) {
            float sum = 0;
            for (int team = 0; team < teams_of_a_block; ++team) sum += block.scratch[team * team_lanes + column];
            if (first + column < width) into[k][first + column] += sum;
        });
    }
    template <class See>
    void each_operand(const See& see) const {
        see(partial, static_cast<std::size_t>(sums * chunks * width) * sizeof(float), false);
        for (int k = 0; k < sums; ++k) see(into[k], static_cast<std::size_t>(width) * sizeof(float), true);
    }
    template <class Map>
    void map_pointers(const Map& map) {
        map(partial);
        for (int k = 0; k < sums; ++k) map(into[k]);
    }
};

}    // namespace blip

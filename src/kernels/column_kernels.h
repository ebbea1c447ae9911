// Bodies of sums over rows, and of what is computed on the way: see column_sums.h. The
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
    // give(row, take(row)) for the rows of a chunk in their order. What `deep` rows take is loaded before any of them
    // gives: loads that wait for no store are on their way together.
    template <int deep, class Take, class Give>
    BLIP_HOST_DEVICE void each_row(std::int64_t chunk, const Take& take, const Give& give) const {
        const std::int64_t end = end_row(chunk);
        for (std::int64_t row = first_row(chunk); row < end; row += deep) {
            decltype(take(row)) taken[deep];
            for (int i = 0; i < deep; ++i)
                if (row + i < end) taken[i] = take(row + i);
            for (int i = 0; i < deep; ++i)
                if (row + i < end) give(row + i, taken[i]);
        }
    }
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
};

// Parts by head one after another in a row, and a chunk's sums; index = chunk * W + column, W = parts * h * d.
template <class Value>
struct StackedHeadsBody {
    static constexpr const char* name = "stack of heads";
    static constexpr std::size_t most = 3;
    struct Part {
        const Value* from;                                        // [B, h, T, d]
        std::int64_t of_picture, of_head, of_token, of_column;    // strides
    };
    Part parts[most];
    int count_of_parts;
    std::int64_t heads, tokens, head_width;
    Value* to;         // [B * T, W]
    float* partial;    // [C, W]
    Chunks chunks;

    std::int64_t count() const { return chunks.count() * chunks.width; }
    BLIP_HOST_DEVICE void operator()(std::int64_t index) const {
        const std::int64_t chunk = index / chunks.width, column = index % chunks.width;
        const std::int64_t head = column / head_width;    // of all parts
        const Part& part = parts[head / heads];
        const Value* from = part.from + head % heads * part.of_head + column % head_width * part.of_column;
        const std::int64_t first = chunks.first_row(chunk);
        std::int64_t token = first % tokens;
        from += first / tokens * part.of_picture + token * part.of_token;
        const std::int64_t to_next_picture = part.of_picture - tokens * part.of_token;
        float sum = 0;
        chunks.each_row<8>(
            chunk,
            [&](std::int64_t) {
                const Value value = *from;
                from += part.of_token;
                if (++token == tokens) {
                    token = 0;
                    from += to_next_picture;
                }
                return value;
            },
            [&](std::int64_t row, Value value) {
                to[row * chunks.width + column] = value;
                sum += as_float(value);
            });
        partial[index] = sum;
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
};

// The gradient of x, and a chunk's sum of it for the bias.
template <class Value>
struct BiasGeluBackwardBody {
    static constexpr const char* name = "bias gelu backward";
    const Value *dy, *x, *bias;
    Value* dx;
    float* partial;    // [C, W]
    Chunks chunks;
    struct Taken {
        Value dy, x;
    };

    std::int64_t count() const { return chunks.count() * chunks.width; }
    BLIP_HOST_DEVICE void operator()(std::int64_t index) const {
        const std::int64_t chunk = index / chunks.width, column = index % chunks.width;
        const float shift = as_float(bias[column]);
        float sum = 0;
        const auto at = [&](std::int64_t row) { return row * chunks.width + column; };
        chunks.each_row<4>(
            chunk,
            [&](std::int64_t row) {
                return Taken{dy[at(row)], x[at(row)]};
            },
            [&](std::int64_t row, const Taken& taken) {
                const float gradient = rounded<Value>(as_float(taken.dy) * gelu_slope(as_float(taken.x) + shift));
                store(gradient, dx[at(row)]);
                sum += gradient;
            });
        partial[index] = sum;
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
};

}    // namespace blip

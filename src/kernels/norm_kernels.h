// Bodies of bias + dropout + residual + LayerNorm (Ba et al. 2016) and of its gradients: see residual_norm.h. Forward
// one team a row, backward one block a chunk of rows. Internal to the kernels layer. Legend: R rows, W width, C chunks;
// s = residual + factor * (x + bias), y = LayerNorm(s).
#pragma once

#include "src/kernels/block_team.h"
#include "src/kernels/column_kernels.h"
#include "src/kernels/dropout_kernel.h"

namespace blip {

// What the branch x + bias is multiplied with: dropout's factors, or one for each picture, or nothing.
struct BranchFactors {
    DropoutSite dropout{};
    const float* picture_scales = nullptr;    // [R / rows_of_a_picture], or null
    std::int64_t rows_of_a_picture = 1;

    // A picture's scale has the precision of the values, as where LibTorch's operators multiply.
    template <class Value>
    BLIP_HOST_DEVICE float of_row(std::int64_t row) const {
        return picture_scales != nullptr ? rounded<Value>(picture_scales[row / rows_of_a_picture]) : 1.0F;
    }
    // work(column, factor) for the columns of a row of Values, by the lanes of a team: a lane computes a block of four
    // masks once.
    template <class Value, class Team, class Work>
    BLIP_HOST_DEVICE void each(const Team& team, std::int64_t row, std::int64_t width, const Work& work) const {
        const float scale = of_row<Value>(row);
        if (!dropout.drops()) {
            team.each(width, [&](std::int64_t column) { work(column, scale); });
            return;
        }
        const MaskRow mask_row = dropout.row_of(row);
        team.each(mask_blocks(width), [&](std::int64_t block) {
            dropout.in_block(mask_row, block, width,
                             [&](std::int64_t column, float factor) { work(column, factor * scale); });
        });
    }
};

template <class Value>
struct NormForwardBody {
    static constexpr const char* name = "residual norm";
    static constexpr bool rows_by_teams = true;
    const Value *x, *residual;    // [R, W]
    const Value* bias;            // [W]
    const Value *gamma, *beta;    // [W]
    Value *sum, *y;               // [R, W]
    float *mean, *inverse_std;    // [R]
    BranchFactors factors;
    float epsilon;
    std::int64_t rows, width;

    template <class Team>
    BLIP_HOST_DEVICE void operator()(const Team& team, std::int64_t row) const {
        const std::int64_t at = row * width;
        Value* own = sum + at;
        factors.template each<Value>(team, row, width, [&](std::int64_t j, float factor) {
            const float branch = (as_float(x[at + j]) + as_float(bias[j])) * factor;
            store(as_float(residual[at + j]) + branch, own[j]);
        });
        team.meet();
        const auto count = static_cast<float>(width);
        const float average = team.sum(width, [&](std::int64_t j) { return as_float(own[j]); }) / count;
        const float variance = team.sum(width, [&](std::int64_t j) {
            const float off = as_float(own[j]) - average;
            return off * off;
        }) / count;
        const float inverse = 1.0F / sqrtf(variance + epsilon);
        team.each(width, [&](std::int64_t j) {
            store((as_float(own[j]) - average) * inverse * as_float(gamma[j]) + as_float(beta[j]), y[at + j]);
        });
        team.once([&] {
            mean[row] = average;
            inverse_std[row] = inverse;
        });
    }
};

// The gradients of s, x and, as sums over a chunk's rows, of gamma, beta and bias. A block goes over its chunk by
// groups of as many rows as it has teams: a team takes the means of a row, then a thread the group's elements in its
// columns. drops: whether there is dropout. Its masks need so many registers that the kernel without them is one of its
// own.
template <class Value, bool drops>
struct NormBackwardBody {
    static constexpr const char* name = "residual norm backward";
    static constexpr int teams_of_a_block = 4, blocks_at_once = drops ? 4 : 8;
    const Value *dy, *dsum;    // [R, W]; dsum null: nothing else uses the sum
    const Value *sum, *gamma;
    const float *mean, *inverse_std;
    Value *dresidual, *dx;    // [R, W]; dx null: it is dresidual
    float* partial;           // [3, C, W]: of gamma, beta, bias
    BranchFactors factors;
    Chunks chunks;

    // What all elements of a row need. scale: of its picture.
    struct Row {
        float average, inverse, mean_of_weighted, mean_of_product, scale;
        MaskRow masks;
    };
    // Three sums for each column, so far.
    struct ColumnSums {
        float* first;
        std::int64_t plane;
    };
    // Rows of two groups: while some threads still read those of one, a team may write the next.
    static constexpr std::int64_t row_floats = 2 * teams_of_a_block * sizeof(Row) / sizeof(float);

    std::int64_t blocks() const { return chunks.count(); }
    // Sums of more columns than there is room for are kept in `partial` throughout.
    BLIP_HOST_DEVICE bool sums_in_scratch() const { return row_floats + 3 * chunks.width <= most_scratch_floats; }
    std::int64_t scratch_floats() const { return row_floats + (sums_in_scratch() ? 3 * chunks.width : 0); }

    template <class Block>
    BLIP_HOST_DEVICE void operator()(const Block& block, std::int64_t chunk) const {
        const std::int64_t width = chunks.width, end = chunks.end_row(chunk);
        const ColumnSums given_out{partial + chunk * width, chunks.count() * width};
        const ColumnSums held = sums_in_scratch() ? ColumnSums{block.scratch + row_floats, width} : given_out;
        ColumnSums so_far{nullptr, 0};
        int group = 0;
        for (std::int64_t first = chunks.first_row(chunk); first < end; first += teams_of_a_block, ++group) {
            Row* rows = reinterpret_cast<Row*>(block.scratch) + group % 2 * teams_of_a_block;
            const int count = end - first < teams_of_a_block ? static_cast<int>(end - first) : teams_of_a_block;
            block.each_by_teams(count, [&](const auto& team, int i) {
                const Row row = row_of(team, first + i);
                team.once([&] { rows[i] = row; });
            });
            block.meet();
            const ColumnSums to = first + teams_of_a_block < end ? held : given_out;
            columns(block, first, count, rows, so_far, to);
            so_far = held;
        }
    }

    template <class Team>
    BLIP_HOST_DEVICE Row row_of(const Team& team, std::int64_t row) const {
        const std::int64_t at = row * chunks.width;
        const float average = mean[row], inverse = inverse_std[row];
        const auto weighted = [&](std::int64_t j) { return as_float(dy[at + j]) * as_float(gamma[j]); };
        const auto normed = [&](std::int64_t j) { return (as_float(sum[at + j]) - average) * inverse; };
        const TwoSums sums = team.sums(chunks.width, weighted, [&](std::int64_t j) { return weighted(j) * normed(j); });
        const auto count = static_cast<float>(chunks.width);
        return {average,
                inverse,
                sums.first / count,
                sums.second / count,
                factors.template of_row<Value>(row),
                drops ? factors.dropout.row_of(row) : MaskRow{}};
    }

    // The columns of a group of rows, a thread `wide` adjacent ones: four masks are made at once. It loads from `deep`
    // rows before it stores: loads that wait for no store are on their way together.
    template <class Block>
    BLIP_HOST_DEVICE void columns(const Block& block, std::int64_t first, int count, const Row* rows,
                                  const ColumnSums& so_far, const ColumnSums& to) const {
        constexpr int wide = drops ? 4 : 1, deep = drops ? 1 : teams_of_a_block;
        const auto width = static_cast<int>(chunks.width);
        block.each((width + wide - 1) / wide, [&](int strip) {
            const int column = strip * wide, own = width - column < wide ? width - column : wide;
            float sums[3][wide] = {}, weights[wide];
            for (int j = 0; j < wide; ++j) {
                if (j >= own) continue;
                weights[j] = as_float(gamma[column + j]);
                for (int k = 0; k < 3; ++k)
                    if (so_far.first != nullptr) sums[k][j] = so_far.first[k * so_far.plane + column + j];
            }
            for (int i = 0; i < count; i += deep) {
                const std::int64_t at = (first + i) * width + column;
                Elements of[deep][wide];
                for (int d = 0; d < deep; ++d)
                    for (int j = 0; j < wide; ++j)
                        if (i + d < count && j < own) of[d][j] = elements(at + d * width + j);
                for (int d = 0; d < deep; ++d) {
                    if (i + d >= count) continue;
                    const Row row = rows[i + d];
                    float factor[wide] = {1.0F};
                    if constexpr (drops) factors.dropout.factors(row.masks, strip, factor);
                    for (int j = 0; j < wide; ++j) {
                        if (j >= own) continue;
                        const Elements& e = of[d][j];
                        const float normed = (e.sum - row.average) * row.inverse;
                        const float of_norm =
                            (e.dy * weights[j] - row.mean_of_weighted - normed * row.mean_of_product) * row.inverse;
                        const float gradient = dsum != nullptr ? of_norm + e.dsum : of_norm;
                        sums[0][j] += e.dy * normed;
                        sums[1][j] += e.dy;
                        sums[2][j] += put(gradient, factor[j] * row.scale, at + d * width + j);
                    }
                }
            }
            for (int j = 0; j < wide; ++j)
                for (int k = 0; k < 3; ++k)
                    if (j < own) to.first[k * to.plane + column + j] = sums[k][j];
        });
    }
    struct Elements {
        float dy, sum, dsum;
    };
    BLIP_HOST_DEVICE Elements elements(std::int64_t at) const {
        return {as_float(dy[at]), as_float(sum[at]), dsum != nullptr ? as_float(dsum[at]) : 0.0F};
    }
    // Gives out an element's gradients. Returns x's as it is read back.
    BLIP_HOST_DEVICE float put(float gradient, float factor, std::int64_t at) const {
        store(gradient, dresidual[at]);
        if (dx == nullptr) return rounded<Value>(gradient);
        store(gradient * factor, dx[at]);
        return rounded<Value>(gradient * factor);
    }
};

template <class Value>
using NormBackward = NormBackwardBody<Value, false>;
template <class Value>
using NormDropBackward = NormBackwardBody<Value, true>;

}    // namespace blip

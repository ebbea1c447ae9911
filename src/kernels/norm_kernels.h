// Bodies of bias + dropout + residual + LayerNorm (Ba et al. 2016) and of its gradient: see residual_norm.h. One team a
// row. Internal to the kernels layer. Legend: R rows, W width; s = residual + factor * (x + bias), y = LayerNorm(s).
#pragma once

#include "src/kernels/dropout_kernel.h"
#include "src/kernels/row_team.h"

namespace blip {

// What the branch x + bias is multiplied with: dropout's factors, or one for each picture, or nothing.
struct BranchFactors {
    DropoutSite dropout{0, 0, 0, 1.0F};
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
        const RowMasks masks{dropout, width};
        team.each(masks.blocks(row), [&](std::int64_t block) {
            masks.in_block(row, block, [&](std::int64_t column, float factor) { work(column, factor * scale); });
        });
    }
    template <class See>
    void each_operand(const See& see, std::int64_t rows) const {
        if (picture_scales != nullptr)
            see(picture_scales, static_cast<std::size_t>(rows / rows_of_a_picture) * sizeof(float), false);
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
    template <class See>
    void each_operand(const See& see) const {
        const auto bytes = static_cast<std::size_t>(rows * width) * sizeof(Value);
        for (const Value* read : {x, residual}) see(read, bytes, false);
        for (const Value* read : {bias, gamma, beta}) see(read, static_cast<std::size_t>(width) * sizeof(Value), false);
        factors.each_operand(see, rows);
        for (const Value* written : {sum, y}) see(written, bytes, true);
        for (const float* written : {mean, inverse_std}) see(written, static_cast<std::size_t>(rows) * 4, true);
    }
    template <class Map>
    void map_pointers(const Map& map) {
        map(x), map(residual), map(bias), map(gamma), map(beta), map(sum), map(y), map(mean), map(inverse_std);
        map(factors.picture_scales);
    }
};

template <class Value>
struct NormBackwardBody {
    static constexpr const char* name = "residual norm backward";
    static constexpr bool rows_by_teams = true;
    const Value *dy, *dsum;    // [R, W]; dsum null: nothing else uses the sum
    const Value *sum, *gamma;
    const float *mean, *inverse_std;
    Value *dresidual, *dx;    // [R, W]; dx null: it is dresidual
    BranchFactors factors;
    std::int64_t rows, width;

    template <class Team>
    BLIP_HOST_DEVICE void operator()(const Team& team, std::int64_t row) const {
        const std::int64_t at = row * width;
        const float average = mean[row], inverse = inverse_std[row];
        const auto count = static_cast<float>(width);
        const auto weighted = [&](std::int64_t j) { return as_float(dy[at + j]) * as_float(gamma[j]); };
        const auto normed = [&](std::int64_t j) { return (as_float(sum[at + j]) - average) * inverse; };
        const float mean_of_weighted = team.sum(width, weighted) / count;
        const float mean_of_product = team.sum(width, [&](std::int64_t j) { return weighted(j) * normed(j); }) / count;
        factors.template each<Value>(team, row, width, [&](std::int64_t j, float factor) {
            float gradient = (weighted(j) - mean_of_weighted - normed(j) * mean_of_product) * inverse;
            if (dsum != nullptr) gradient += as_float(dsum[at + j]);
            store(gradient, dresidual[at + j]);
            if (dx != nullptr) store(gradient * factor, dx[at + j]);
        });
    }
    template <class See>
    void each_operand(const See& see) const {
        const auto bytes = static_cast<std::size_t>(rows * width) * sizeof(Value);
        for (const Value* read : {dy, dsum, sum})
            if (read != nullptr) see(read, bytes, false);
        see(gamma, static_cast<std::size_t>(width) * sizeof(Value), false);
        for (const float* read : {mean, inverse_std}) see(read, static_cast<std::size_t>(rows) * 4, false);
        factors.each_operand(see, rows);
        for (const Value* written : {dresidual, dx})
            if (written != nullptr) see(written, bytes, true);
    }
    template <class Map>
    void map_pointers(const Map& map) {
        map(dy), map(dsum), map(sum), map(gamma), map(mean), map(inverse_std), map(dresidual), map(dx);
        map(factors.picture_scales);
    }
};

}    // namespace blip

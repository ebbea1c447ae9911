// The kernels of a batch's transform as bodies that run on the device and, for the tests, on the host: the bicubic
// resize in two passes, histograms and look-ups, affine maps. What they compute is in resize_arithmetic.h and
// operator_arithmetic.h. Launched by device_transform_cuda.cu. Legend: see device_transform.h.
#pragma once

#include <cstdint>

#include "blip/base/host_device.h"
#include "src/image/resize/arithmetic.h"
#include "src/image/transform_layout.h"

namespace blip {

// Where everything is, on the device (or on the host, in tests).
struct TransformView {
    int size = 0;
    std::int64_t plane = 0;    // S * S
    const PictureWork* pictures = nullptr;
    const OperatorWork* operators = nullptr;
    const std::int32_t* tile_pictures = nullptr;
    const std::uint8_t* pixels = nullptr;
    ResizeWindow* windows = nullptr;    // picture, pass, output position
    std::int32_t* weights = nullptr;
    std::uint32_t* counts = nullptr;    // table, copy, level
    std::uint8_t* tables = nullptr;     // table, level
    std::uint8_t* between = nullptr;
    std::uint8_t* scratch = nullptr;    // planes like the output's
    std::uint8_t* output = nullptr;

    BLIP_HOST_DEVICE std::uint8_t* planes(std::int64_t picture, bool in_scratch) const {
        return (in_scratch ? scratch : output) + picture * 3 * plane;
    }
};

BLIP_HOST_DEVICE inline void add_one(std::uint32_t* count) {
#if defined(__CUDA_ARCH__)
    atomicAdd(count, 1U);    // whole numbers: the order does not show
#else
    ++*count;
#endif
}

// i: picture, pass, output position.
struct MakeWeights {
    TransformView view;

    BLIP_HOST_DEVICE void operator()(std::int64_t i) const {
        const PictureWork& picture = view.pictures[i / (2 * view.size)];
        const PassWork& pass = i / view.size % 2 == 0 ? picture.first : picture.second;
        if (pass.axis == PassAxis::none) return;
        const int out = static_cast<int>(i % view.size);
        const ResizeAxis axis = resize_axis(pass.in_size, view.size);
        const double center = window_center(axis, out);
        const ResizeWindow window = window_at(axis, center);
        double sum = 0.0;
        for (int k = 0; k < window.taps; ++k) sum += exact_weight(axis, center, window.first, k);
        std::int32_t* fixed = view.weights + pass.first_weight + static_cast<std::int64_t>(out) * pass.most_taps;
        for (int k = 0; k < window.taps; ++k) fixed[k] = fixed_weight(exact_weight(axis, center, window.first, k), sum);
        view.windows[i] = window;
    }
};

// A pixel of three bytes. input: the pixels that the pass reads, stride in bytes.
BLIP_HOST_DEVICE inline void resized_pixel(const TransformView& view, std::int64_t picture, int pass_number,
                                           const std::uint8_t* input, std::int64_t stride, int y, int x,
                                           std::uint8_t* pixel) {
    const PassWork& pass = pass_number == 0 ? view.pictures[picture].first : view.pictures[picture].second;
    if (pass.axis == PassAxis::none) {
        const std::uint8_t* from = input + y * stride + static_cast<std::int64_t>(x) * 3;
        for (int channel = 0; channel < 3; ++channel) pixel[channel] = from[channel];
        return;
    }
    const bool vertical = pass.axis == PassAxis::vertical;
    const int out = vertical ? y : x;
    const ResizeWindow window = view.windows[(picture * 2 + pass_number) * view.size + out];
    const std::int32_t* weights = view.weights + pass.first_weight + static_cast<std::int64_t>(out) * pass.most_taps;
    const std::int64_t step = vertical ? stride : 3;
    const std::uint8_t* from =
        input + (vertical ? window.first : y) * stride + static_cast<std::int64_t>(vertical ? x : window.first) * 3;
    std::int32_t sums[3] = {sum_start, sum_start, sum_start};
    for (int k = 0; k < window.taps; ++k, from += step)
        for (int channel = 0; channel < 3; ++channel) sums[channel] += from[channel] * weights[k];
    for (int channel = 0; channel < 3; ++channel) pixel[channel] = level_of_sum(sums[channel]);
}

// i: pixels of all first passes, tile by tile.
struct FirstPass {
    TransformView view;

    BLIP_HOST_DEVICE void operator()(std::int64_t i) const {
        const std::int64_t number = view.tile_pictures[i / tile_pixels];
        const PictureWork& picture = view.pictures[number];
        const auto at = static_cast<std::uint32_t>(i - picture.first_tile * tile_pixels);    // below 2^32: 65535 x 8192
        const auto width = static_cast<std::uint32_t>(picture.between_width);
        const auto y = static_cast<int>(at / width), x = static_cast<int>(at % width);
        if (y >= picture.between_height) return;
        resized_pixel(view, number, 0, view.pixels + picture.source_byte, picture.source_stride_bytes, y, x,
                      view.between + picture.between_byte + 3LL * at);
    }
};

// i: picture, row, column of the result.
struct SecondPass {
    TransformView view;

    BLIP_HOST_DEVICE void operator()(std::int64_t i) const {
        const std::int64_t number = i / view.plane;
        const int at = static_cast<int>(i % view.plane), y = at / view.size, column = at % view.size;
        const PictureWork& picture = view.pictures[number];
        const int x = picture.flipped ? view.size - 1 - column : column;
        const bool direct = picture.first.axis == PassAxis::none;
        const std::uint8_t* input = direct ? view.pixels + picture.source_byte : view.between + picture.between_byte;
        const std::int64_t stride = direct ? picture.source_stride_bytes : picture.between_width * 3LL;
        std::uint8_t pixel[3];
        resized_pixel(view, number, 1, input, stride, y, x, pixel);
        std::uint8_t* output = view.planes(number, picture.to_scratch != 0) + at;
        for (int channel = 0; channel < 3; ++channel) output[channel * view.plane] = pixel[channel];
    }
};

struct ClearCounts {
    TransformView view;

    BLIP_HOST_DEVICE void operator()(std::int64_t i) const { view.counts[i] = 0; }
};

// i: look-up of the step, channel, level of its plane.
struct CountLevels {
    TransformView view;
    std::int64_t begin = 0;

    BLIP_HOST_DEVICE void operator()(std::int64_t i) const {
        const OperatorWork& work = view.operators[begin + i / (3 * view.plane)];
        const int at = static_cast<int>(i % (3 * view.plane)), plane = static_cast<int>(view.plane);
        const std::int64_t table = work.table + at / plane;
        const int level = view.planes(work.picture, work.in_scratch != 0)[at];
        // a warp's neighbours are often of one level
        add_one(view.counts + (table * count_copies + i % count_copies) * levels + level);
    }
};

// i: look-up of the step, channel.
struct MakeTables {
    TransformView view;
    std::int64_t begin = 0;

    BLIP_HOST_DEVICE void operator()(std::int64_t i) const {
        const OperatorWork& work = view.operators[begin + i / 3];
        const std::int64_t table = work.table + i % 3;
        std::uint32_t* counts = view.counts + table * count_copies * levels;
        for (int level = 0; level < levels; ++level) {
            std::uint32_t sum = 0;
            for (int copy = 0; copy < count_copies; ++copy) sum += counts[copy * levels + level];
            counts[level] = sum;
        }
        if (work.kind == ImageOperator::equalize)
            equalize_table(counts, view.tables + table * levels);
        else
            auto_contrast_table(counts, view.tables + table * levels);
    }
};

// i: operator of the step, channel, level of its plane.
struct ApplyOperators {
    TransformView view;
    std::int64_t begin = 0, affine_begin = 0;

    BLIP_HOST_DEVICE void operator()(std::int64_t i) const {
        const std::int64_t number = begin + i / (3 * view.plane);
        const int at = static_cast<int>(i % (3 * view.plane)), plane = static_cast<int>(view.plane);
        const OperatorWork& work = view.operators[number];
        const int channel = at / plane, place = at % plane;
        std::uint8_t* planes = view.planes(work.picture, work.in_scratch != 0);
        if (number < affine_begin) {
            planes[at] = view.tables[(work.table + channel) * levels + planes[at]];
            return;
        }
        view.planes(work.picture, work.in_scratch == 0)[at] = affine_level(
            planes + channel * view.plane, view.size, view.size, work.map, place % view.size, place / view.size);
    }
};

// Everything in order; launch(body, count, what) runs a body for each index, in any order, after what came before.
template <class Launch>
void run_transform(const TransformTable& table, const std::byte* device_table, const std::uint8_t* pixels,
                   std::byte* workspace, std::uint8_t* output, const Launch& launch) {
    if (table.picture_count == 0) return;
    TransformView view;
    view.size = table.size;
    view.plane = static_cast<std::int64_t>(table.size) * table.size;
    view.pictures = reinterpret_cast<const PictureWork*>(device_table);
    view.operators = reinterpret_cast<const OperatorWork*>(device_table + table.operators_at);
    view.tile_pictures = reinterpret_cast<const std::int32_t*>(device_table + table.tile_pictures_at);
    view.pixels = pixels;
    view.windows = reinterpret_cast<ResizeWindow*>(workspace + table.windows_at);
    view.weights = reinterpret_cast<std::int32_t*>(workspace + table.weights_at);
    view.counts = reinterpret_cast<std::uint32_t*>(workspace + table.counts_at);
    view.tables = reinterpret_cast<std::uint8_t*>(workspace + table.tables_at);
    view.between = reinterpret_cast<std::uint8_t*>(workspace + table.between_at);
    view.scratch = reinterpret_cast<std::uint8_t*>(workspace + table.scratch_at);
    view.output = output;
    launch(MakeWeights{view}, table.picture_count * 2 * table.size, "weights of the resize");
    launch(FirstPass{view}, table.tile_count * tile_pixels, "first pass of the resize");
    launch(SecondPass{view}, table.picture_count * view.plane, "second pass of the resize");
    launch(ClearCounts{view}, table.table_count * count_copies * levels, "clearing of the histograms");
    for (const auto& [begin, affine_begin, end] : table.steps) {
        const std::int64_t look_ups = affine_begin - begin;
        launch(CountLevels{view, begin}, look_ups * 3 * view.plane, "histograms");
        launch(MakeTables{view, begin}, look_ups * 3, "tables of levels");
        launch(ApplyOperators{view, begin, affine_begin}, (end - begin) * 3 * view.plane, "image operators");
    }
}

}    // namespace blip

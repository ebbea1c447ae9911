// PIL's 8-bit bicubic resize. Two passes of one kernel: vertically the rows are summed as they lie; for the horizontal
// pass 16 rows at a time are turned on their side, so that their columns become rows of bytes.
#include "blip/image/resize.h"

#include <algorithm>
#include <vector>

#include "blip/base/error.h"
#include "src/image/resize/arithmetic.h"
#include "src/image/resize/kernel.h"

namespace blip {
namespace {

constexpr int strip_rows = 16;    // of the horizontal pass; what the last strip lacks is never turned back

// For each output position: first input position, number of taps, and where its weights start.
struct Weights {
    std::vector<ResizeWindow> windows;
    std::vector<std::int32_t> weights;
    int most_taps = 0;

    const std::int32_t* at(int out) const { return weights.data() + static_cast<std::size_t>(out) * most_taps; }
};

Weights make_weights(int in_size, int out_size) {
    const ResizeAxis axis = resize_axis(in_size, out_size);
    Weights result;
    result.most_taps = most_taps(axis);
    result.windows.resize(static_cast<std::size_t>(out_size));
    result.weights.resize(static_cast<std::size_t>(out_size) * result.most_taps);
    std::vector<double> exact(static_cast<std::size_t>(result.most_taps));
    for (int out = 0; out < out_size; ++out) {
        const double center = window_center(axis, out);
        const auto [first, taps] = window_at(axis, center);
        double sum = 0.0;
        for (int k = 0; k < taps; ++k) sum += exact[k] = exact_weight(axis, center, first, k);
        std::int32_t* fixed = result.weights.data() + static_cast<std::size_t>(out) * result.most_taps;
        for (int k = 0; k < taps; ++k) fixed[k] = fixed_weight(exact[k], sum);
        result.windows[static_cast<std::size_t>(out)] = {first, taps};
    }
    return result;
}

// input: height rows of width pixels, row stride in bytes -> out_height rows of width pixels, packed.
void vertical_pass(const std::uint8_t* input, std::int64_t stride, int height, int width, int out_height,
                   std::uint8_t* output) {
    const Weights weights = make_weights(height, out_height);
    const WeightedRows sum_rows = weighted_rows_kernel();
    const int row_bytes = width * 3;
    for (int out = 0; out < out_height; ++out) {
        const auto [first, taps] = weights.windows[static_cast<std::size_t>(out)];
        sum_rows(input + first * stride, stride, row_bytes, weights.at(out), taps,
                 output + static_cast<std::int64_t>(out) * row_bytes);
    }
}

// input: height rows of width pixels, row stride in bytes -> height rows of out_width pixels, packed.
void horizontal_pass(const std::uint8_t* input, std::int64_t stride, int height, int width, int out_width,
                     std::uint8_t* output) {
    const Weights weights = make_weights(width, out_width);
    const WeightedRows sum_rows = weighted_rows_kernel();
    constexpr int pixel_bytes = 3 * strip_rows;    // one column of pixels of a turned strip
    std::vector<std::uint8_t> turned(static_cast<std::size_t>(width) * pixel_bytes);
    std::vector<std::uint8_t> summed(static_cast<std::size_t>(out_width) * pixel_bytes);
    for (int top = 0; top < height; top += strip_rows) {
        const int rows = std::min(strip_rows, height - top);
        transpose(input + top * stride, stride, rows, width * 3, turned.data(), strip_rows);
        for (int out = 0; out < out_width; ++out) {
            const auto [first, taps] = weights.windows[static_cast<std::size_t>(out)];
            sum_rows(turned.data() + static_cast<std::int64_t>(first) * pixel_bytes, pixel_bytes, pixel_bytes,
                     weights.at(out), taps, summed.data() + static_cast<std::int64_t>(out) * pixel_bytes);
        }
        transpose(summed.data(), strip_rows, out_width * 3, rows,
                  output + static_cast<std::int64_t>(top) * out_width * 3, static_cast<std::int64_t>(out_width) * 3);
    }
}

}    // namespace

void check_resize(int height, int width, const Box& box, int out_height, int out_width) {
    const bool inside = box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0 &&
                        box.height <= height - box.top && box.width <= width - box.left;
    if (inside && out_height > 0 && out_width > 0) return;
    throw Error(ExitCode::internal, "resize of box {}x{} at ({}, {}) in a {}x{} picture to {}x{} (heights first)",
                box.height, box.width, box.top, box.left, height, width, out_height, out_width);
}

void resize_bicubic(const ImageView& image, const Box& box, int out_height, int out_width, std::uint8_t* output_HWC) {
    check_resize(image.height, image.width, box, out_height, out_width);
    const std::int64_t stride = static_cast<std::int64_t>(image.width) * 3;
    const std::uint8_t* input = image.pixels_HWC + box.top * stride + static_cast<std::int64_t>(box.left) * 3;
    const bool vertical = out_height != box.height;
    const bool horizontal = out_width != box.width;
    if (vertical && horizontal) {
        const bool vertical_first = vertical_pass_first(box.height, box.width, out_height, out_width);
        std::vector<std::uint8_t> between(static_cast<std::size_t>(vertical_first ? out_height : box.height) *
                                          static_cast<std::size_t>(vertical_first ? box.width : out_width) * 3);
        if (vertical_first) {
            vertical_pass(input, stride, box.height, box.width, out_height, between.data());
            horizontal_pass(between.data(), static_cast<std::int64_t>(box.width) * 3, out_height, box.width, out_width,
                            output_HWC);
        } else {
            horizontal_pass(input, stride, box.height, box.width, out_width, between.data());
            vertical_pass(between.data(), static_cast<std::int64_t>(out_width) * 3, box.height, out_width, out_height,
                          output_HWC);
        }
    } else if (vertical) {
        vertical_pass(input, stride, box.height, box.width, out_height, output_HWC);
    } else if (horizontal) {
        horizontal_pass(input, stride, box.height, box.width, out_width, output_HWC);
    } else {
        for (int y = 0; y < out_height; ++y) {
            std::copy_n(input + y * stride, static_cast<std::size_t>(out_width) * 3,
                        output_HWC + static_cast<std::size_t>(y) * out_width * 3);
        }
    }
}

Image resize_bicubic(const ImageView& image, int out_height, int out_width) {
    Image result{out_height, out_width, {}};
    result.pixels_HWC.resize(static_cast<std::size_t>(std::max(out_height, 0)) *
                             static_cast<std::size_t>(std::max(out_width, 0)) * 3);
    resize_bicubic(image, Box{0, 0, image.height, image.width}, out_height, out_width, result.pixels_HWC.data());
    return result;
}

}    // namespace blip

// The arithmetic of PIL's bicubic resize, one weight and one level at a time, for the host and the device alike.
// resize.cpp and augment_kernels.h are made of it. The order of the floating-point operations is PIL's; a weight near a
// half of 2^-22 would round differently otherwise.
#pragma once

#include <math.h>

#include <cstdint>

#include "blip/base/host_device.h"
#include "blip/image/image.h"

namespace blip {

inline constexpr int weight_bits = 22;    // PIL's fixed point: 32 bits less 8 of the pixel and 2 of head room

// One axis: in_size pixels become so many that each is worth `scale` of them.
struct ResizeAxis {
    int in_size = 0;
    double scale = 1, support = 2, inverse = 1;
};
// The input positions that make one output position.
struct ResizeWindow {
    int first = 0, taps = 0;
};

BLIP_HOST_DEVICE inline ResizeAxis resize_axis(int in_size, int out_size) {
    ResizeAxis axis;
    axis.in_size = in_size;
    axis.scale = static_cast<double>(in_size) / out_size;
    const double filter_scale = axis.scale > 1.0 ? axis.scale : 1.0;
    axis.support = 2.0 * filter_scale;
    axis.inverse = 1.0 / filter_scale;
    return axis;
}

BLIP_HOST_DEVICE inline int most_taps(const ResizeAxis& axis) { return static_cast<int>(ceil(axis.support)) * 2 + 1; }

BLIP_HOST_DEVICE inline double window_center(const ResizeAxis& axis, int out) { return (out + 0.5) * axis.scale; }

BLIP_HOST_DEVICE inline ResizeWindow window_at(const ResizeAxis& axis, double center) {
    const int first = static_cast<int>(center - axis.support + 0.5),
              end = static_cast<int>(center + axis.support + 0.5);
    ResizeWindow window;
    window.first = first > 0 ? first : 0;
    window.taps = (end < axis.in_size ? end : axis.in_size) - window.first;
    return window;
}

// Keys' cubic with a = -0.5.
BLIP_HOST_DEVICE inline double cubic(double x) {
    constexpr double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

// Weight of tap k before all are divided by their sum.
BLIP_HOST_DEVICE inline double exact_weight(const ResizeAxis& axis, double center, int first, int k) {
    return cubic((k + first - center + 0.5) * axis.inverse);
}

BLIP_HOST_DEVICE inline std::int32_t fixed_weight(double exact, double sum) {
    const double weight = (sum != 0.0 ? exact / sum : exact) * (1 << weight_bits);
    return static_cast<std::int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);    // half away from zero
}

// A weighted sum that started at half of the fixed point's unit, as a level.
inline constexpr std::int32_t sum_start = 1 << (weight_bits - 1);
BLIP_HOST_DEVICE inline std::uint8_t level_of_sum(std::int32_t sum) {
    const std::int32_t level = sum >> weight_bits;
    return static_cast<std::uint8_t>(level < 0 ? 0 : level > 255 ? 255 : level);
}

// Pillow 13: columns first where that leaves clearly less work for the second pass.
inline bool vertical_pass_first(int height, int width, int out_height, int out_width) {
    return out_height < height && 2 * (width - out_width) < height - out_height;
}

// Throws Error(internal) unless the box lies inside a height x width picture and nothing is empty.
void check_resize(int height, int width, const Box& box, int out_height, int out_width);

}    // namespace blip

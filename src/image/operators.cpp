// RandomAugment's operators on the CPU, on planes: operator_arithmetic.h's functions of one value, in loops.
#include "src/image/operators.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace blip {
namespace {

constexpr double shear_factor = 0.15, shift_pixels = 5, rotation_degrees = 15;

using MapPlane = void (*)(const std::uint8_t* plane, int height, int width, const AffineMap& map, std::uint8_t* output);

void map_plane(const std::uint8_t* plane, int height, int width, const AffineMap& map, std::uint8_t* output) {
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) *output++ = affine_level(plane, height, width, map, x, y);
}

// Fused multiply-adds are part of the result. Where the processor has them, the loop is compiled with them; elsewhere
// the C library's fmaf computes the same, slowly.
#if defined(__x86_64__)
[[gnu::target("avx2,fma"), gnu::flatten]] void map_plane_fma(const std::uint8_t* plane, int height, int width,
                                                             const AffineMap& map, std::uint8_t* output) {
    map_plane(plane, height, width, map, output);
}
MapPlane fastest_map() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? map_plane_fma : map_plane;
}
#else
MapPlane fastest_map() { return map_plane; }
#endif

void map_levels(ImageOperator kind, std::int64_t count, std::uint8_t* plane) {
    std::uint32_t counts[levels] = {};
    std::uint8_t table[levels];
    for (std::int64_t i = 0; i < count; ++i) ++counts[plane[i]];
    if (kind == ImageOperator::equalize)
        equalize_table(counts, table);
    else
        auto_contrast_table(counts, table);
    for (std::int64_t i = 0; i < count; ++i) plane[i] = table[plane[i]];
}

}    // namespace

AffineMap affine_map(const SignedOperator& operation, int height, int width) {
    const double sign = operation.negative ? -1 : 1;
    double m[6] = {1, 0, 0, 0, 1, 0};    // where an input pixel goes
    switch (operation.kind) {
        case ImageOperator::shear_x:
            m[1] = sign * shear_factor;
            break;
        case ImageOperator::shear_y:
            m[3] = sign * shear_factor;
            break;
        case ImageOperator::translate_x:
            m[2] = -sign * shift_pixels;
            break;
        case ImageOperator::translate_y:
            m[5] = -sign * shift_pixels;
            break;
        case ImageOperator::rotate: {
            const double angle = sign * rotation_degrees * std::numbers::pi / 180;
            const double a = std::cos(angle), b = std::sin(angle), x = width / 2.0, y = height / 2.0;
            const double forward[6] = {a, b, (1 - a) * x - b * y, -b, a, b * x + (1 - a) * y};
            std::copy_n(forward, 6, m);
            break;
        }
        default:
            break;
    }
    const double inverse_determinant = 1 / (m[0] * m[4] - m[1] * m[3]);
    const double a = m[4] * inverse_determinant, b = -m[1] * inverse_determinant;
    const double c = -m[3] * inverse_determinant, d = m[0] * inverse_determinant;
    const double exact[6] = {a, b, -a * m[2] - b * m[5], c, d, -c * m[2] - d * m[5]};
    AffineMap map;
    for (int i = 0; i < 6; ++i) map.to[i] = static_cast<float>(exact[i]);
    return map;
}

void apply_operator(const SignedOperator& operation, int height, int width, std::uint8_t* planes_CHW) {
    const std::int64_t count = static_cast<std::int64_t>(height) * width;
    const AffineMap map = affine_map(operation, height, width);
    std::vector<std::uint8_t> before;
    for (std::uint8_t* plane = planes_CHW; plane < planes_CHW + 3 * count; plane += count) {
        if (uses_table(operation.kind)) map_levels(operation.kind, count, plane);
        if (!is_affine(operation.kind)) continue;
        before.assign(plane, plane + count);
        fastest_map()(before.data(), height, width, map, plane);
    }
}

}    // namespace blip

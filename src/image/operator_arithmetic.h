// The arithmetic of RandomAugment's operators, one value at a time, for the host and the device alike: operators.cpp
// and augment_kernels.h are made of it. Formulas:
// reference/blip-semantics, 'Training transform' (the affine ones bit for bit as OpenCV 5, the look-up tables as PIL).
#pragma once

#include <math.h>

#include <cstdint>

#include "blip/base/host_device.h"

namespace blip {

inline constexpr int levels = 256;                   // of a byte
inline constexpr std::uint8_t border_level = 128;    // of what lies outside the picture

// output(x, y) = input(x * to[0] + y * to[1] + to[2], x * to[3] + y * to[4] + to[5])
struct AffineMap {
    float to[6] = {1, 0, 0, 0, 1, 0};
};

// Bilinear interpolation: from + share * (to - from), rounded once.
BLIP_HOST_DEVICE inline float lerp_fused(float share, float from, float to) { return fmaf(share, to - from, from); }

// A level of a plane (height x width), or the border's.
BLIP_HOST_DEVICE inline float tap(const std::uint8_t* plane, int height, int width, int x, int y) {
    const bool inside = x >= 0 && x < width && y >= 0 && y < height;
    return static_cast<float>(inside ? +plane[static_cast<std::int64_t>(y) * width + x] : +border_level);
}

// One level of the mapped plane. Where a coordinate rounds is part of the result.
BLIP_HOST_DEVICE inline std::uint8_t affine_level(const std::uint8_t* plane, int height, int width,
                                                  const AffineMap& map, int x, int y) {
    const auto fx = static_cast<float>(x), fy = static_cast<float>(y);
    const float from_x = fmaf(fx, map.to[0], fy * map.to[1] + map.to[2]);
    const float from_y = fmaf(fx, map.to[3], fy * map.to[4] + map.to[5]);
    const float left = floorf(from_x), above = floorf(from_y);
    const float share_x = from_x - left, share_y = from_y - above;
    const int l = static_cast<int>(left), a = static_cast<int>(above);
    const float upper = lerp_fused(share_x, tap(plane, height, width, l, a), tap(plane, height, width, l + 1, a));
    const float lower =
        lerp_fused(share_x, tap(plane, height, width, l, a + 1), tap(plane, height, width, l + 1, a + 1));
    return static_cast<std::uint8_t>(rintf(lerp_fused(share_y, upper, lower)));    // half to even
}

// The lowest and the highest level become 0 and 255. highest <= lowest: unchanged.
BLIP_HOST_DEVICE inline std::uint8_t contrast_level(int level, int lowest, int highest) {
    if (highest <= lowest) return static_cast<std::uint8_t>(level);
    const double scale = 255.0 / (highest - lowest);
    const int stretched = static_cast<int>(level * scale - lowest * scale);    // towards zero
    return static_cast<std::uint8_t>(stretched < 0 ? 0 : stretched > 255 ? 255 : stretched);
}

// counts: how many pixels have each level.
BLIP_HOST_DEVICE inline void auto_contrast_table(const std::uint32_t* counts, std::uint8_t* table) {
    int lowest = 0, highest = levels - 1;
    while (lowest < levels && counts[lowest] == 0) ++lowest;
    while (highest >= 0 && counts[highest] == 0) --highest;
    for (int level = 0; level < levels; ++level) table[level] = contrast_level(level, lowest, highest);
}

BLIP_HOST_DEVICE inline void equalize_table(const std::uint32_t* counts, std::uint8_t* table) {
    std::uint32_t pixels = 0, last = 0;
    int used = 0;
    for (int level = 0; level < levels; ++level) {
        if (counts[level] == 0) continue;
        pixels += counts[level];
        last = counts[level];
        ++used;
    }
    const std::uint32_t step = used > 1 ? (pixels - last) / 255 : 0;
    std::uint32_t sum = step / 2;
    for (int level = 0; level < levels; ++level) {
        const std::uint32_t equal = step > 0 ? sum / step : static_cast<std::uint32_t>(level);
        table[level] = static_cast<std::uint8_t>(equal < 255 ? equal : 255);
        sum += counts[level];
    }
}

}    // namespace blip

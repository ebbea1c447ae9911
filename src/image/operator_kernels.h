// Inner loops of the transform after the resize, once per instruction set; every variant gives the same bits (tested).
// Used by operators.cpp and augment.cpp.
#pragma once

#include <cstdint>
#include <vector>

#include "src/image/operator_arithmetic.h"

namespace blip {

// Three planes as one pixel of four bytes (the last unused), with a frame of border levels, so that no tap needs a
// test.
inline constexpr int frame = 2;    // pixels on each side
struct FramedPixels {
    const std::uint32_t* pixels = nullptr;    // (height + 2 * frame) x (width + 2 * frame)
    int height = 0, width = 0;                // without the frame
};

struct OperatorKernels {
    const char* name;
    // output[channel * plane + x] = pixels[3 * x + channel] for x in [0, count); reversed: from the last pixel on.
    void (*split_row)(const std::uint8_t* pixels, int count, bool reversed, std::uint8_t* output, std::int64_t plane);
    // output[i] = lerp of taps[i] and taps[i + 1] by (p * q + i, rounded once) - (i + whole), for i in [0, count).
    void (*lerp_row)(const std::uint8_t* taps, int count, float p, float q, int whole, std::uint8_t* output);
    // Row y of the mapped picture, into three planes: output[channel * plane + x] for x in [0, width).
    void (*affine_row)(const FramedPixels& input, const AffineMap& map, int y, std::uint8_t* output,
                       std::int64_t plane);
    // bytes[i] = table[bytes[i]], 256 entries.
    void (*look_up)(const std::uint8_t* table, std::uint8_t* bytes, std::int64_t count);
};

// The variants that this processor can run, the widest last.
std::vector<OperatorKernels> all_operator_kernels();
// The widest.
const OperatorKernels& operator_kernels();

}    // namespace blip

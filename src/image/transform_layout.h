// The contents of the table of a batch's transform: what each picture and each operator needs. Plain data, the same on
// host and device. Made by device_transform.cpp, read by augment_kernels.h.
#pragma once

#include <cstdint>

#include "blip/image/device_transform.h"
#include "src/image/operator_arithmetic.h"

namespace blip {

enum class PassAxis : std::int32_t { none, vertical, horizontal };

// One pass of a picture's resize.
struct PassWork {
    PassAxis axis = PassAxis::none;
    std::int32_t in_size = 0;
    std::int32_t most_taps = 0;
    std::int64_t first_weight = 0;    // of its out_size * most_taps weights
};

// A picture whose size changes in one direction only has no first pass, one whose size is right has none.
struct PictureWork {
    std::int64_t source_byte = 0, source_stride_bytes = 0;    // of the crop within the batch's pixels
    std::int64_t between_byte = 0;                            // where the first pass leaves its packed pixels
    std::int32_t between_height = 0, between_width = 0;
    std::int64_t first_tile = 0;
    PassWork first, second;
    std::int32_t flipped = 0;
    std::int32_t to_scratch = 0;    // the second pass's planes go to the scratch planes instead of the output
};

// One operator of one picture. Look-ups work in place; affine ones read one of output and scratch and write the other.
struct OperatorWork {
    std::int32_t picture = 0;
    ImageOperator kind = ImageOperator::identity;
    std::int32_t in_scratch = 0;    // where the picture is before it
    std::int32_t table = 0;         // look-ups: number of its first histogram and table (three, one for each channel)
    AffineMap map;
};

inline constexpr int tile_pixels = 256;    // pixels of the first pass with one entry in the tile table
inline constexpr int count_copies = 8;    // histograms of one plane, summed at the end, so that fewer additions collide

}    // namespace blip

// The one inner loop of the resize: a weighted sum of rows of bytes. Used by resize.cpp for both passes.
#pragma once

#include <cstdint>

namespace blip {

// output[j] = clip((2^21 + sum_k weights[k] * rows[k * stride + j]) >> 22, 0, 255) for j in [0, count).
using WeightedRows = void (*)(const std::uint8_t* rows, std::int64_t stride, int count, const std::int32_t* weights,
                              int taps, std::uint8_t* output);
void weighted_rows_plain(const std::uint8_t* rows, std::int64_t stride, int count, const std::int32_t* weights,
                         int taps, std::uint8_t* output);
// The fastest that this processor can run; it computes the same (tested).
WeightedRows weighted_rows_kernel();

// Byte transpose of a 16 x 16 block. Strides in bytes.
void transpose_16x16(const std::uint8_t* input, std::int64_t input_stride, std::uint8_t* output,
                     std::int64_t output_stride);

}    // namespace blip

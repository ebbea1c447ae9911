// The inner loops of the resize: a weighted sum of rows of bytes, for both passes, and what turns columns into rows.
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

// output[column * output_stride + row] = input[row * input_stride + column] of rows x columns bytes.
void transpose(const std::uint8_t* input, std::int64_t input_stride, int rows, int columns, std::uint8_t* output,
               std::int64_t output_stride);

}    // namespace blip

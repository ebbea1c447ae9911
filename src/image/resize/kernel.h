// The one inner loop of the resize: a weighted sum of rows of bytes. Used by resize.cpp for both passes.
#pragma once

#include <cstdint>
#include <vector>

namespace blip {

// output[j] = clip((2^21 + sum_k weights[k] * rows[k * stride + j]) >> 22, 0, 255) for j in [0, count).
using WeightedRows = void (*)(const std::uint8_t* rows, std::int64_t stride, int count, const std::int32_t* weights,
                              int taps, std::uint8_t* output);
// The variants that this processor can run, the widest last. All compute the same (tested).
struct NamedKernel {
    const char* name;
    WeightedRows run;
};
std::vector<NamedKernel> weighted_rows_kernels();
// The widest.
WeightedRows weighted_rows_kernel();

// Byte transpose of a 16 x 16 block. Strides in bytes.
void transpose_16x16(const std::uint8_t* input, std::int64_t input_stride, std::uint8_t* output,
                     std::int64_t output_stride);

}    // namespace blip

// Integer kernels of the resize, for any processor and for AVX2; both compute the same integers.
// (Intrinsics, because g++ 12 widens vectors of bytes element by element.)
#include "src/image/resize/kernel.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
// g++ 12 warns of its own header (bug 105593), also where its functions are expanded
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif

#include "src/image/resize/arithmetic.h"

namespace blip {

#if defined(__x86_64__)
namespace {

// Blocks of 48 bytes: a pixel column of a turned strip is one; six registers of sums hide the multiply's latency.
constexpr int block = 48;

[[gnu::target("avx2")]] void weighted_rows_avx2(const std::uint8_t* rows, std::int64_t stride, int count,
                                                const std::int32_t* weights, int taps, std::uint8_t* output) {
    int j = 0;
    for (; j + block <= count; j += block) {
        __m256i sums[6];
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) sums[i] = _mm256_set1_epi32(sum_start);
        for (int k = 0; k < taps; ++k) {
            const std::uint8_t* row = rows + k * stride + j;
            const __m256i weight = _mm256_set1_epi32(weights[k]);
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i) {
                const __m256i values =
                    _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(row + 8 * i)));
                sums[i] = _mm256_add_epi32(sums[i], _mm256_mullo_epi32(values, weight));
            }
        }
        // saturating packs clip to 0..255; they work in halves of a register, hence the permutation
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
            const __m256i words = _mm256_packs_epi32(_mm256_srai_epi32(sums[2 * i], weight_bits),
                                                     _mm256_srai_epi32(sums[2 * i + 1], weight_bits));
            const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
            const __m128i bytes =
                _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(output + j + 16 * i), bytes);
        }
    }
    weighted_rows_plain(rows + j, stride, count - j, weights, taps, output + j);
}

}    // namespace
#endif

void weighted_rows_plain(const std::uint8_t* rows, std::int64_t stride, int count, const std::int32_t* weights,
                         int taps, std::uint8_t* output) {
    for (int j = 0; j < count; ++j) {
        std::int32_t sum = sum_start;
        for (int k = 0; k < taps; ++k) sum += rows[k * stride + j] * weights[k];
        output[j] = level_of_sum(sum);
    }
}

WeightedRows weighted_rows_kernel() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return weighted_rows_avx2;
#endif
    return weighted_rows_plain;
}

namespace {

// Four rounds of interleaving rows i and i + 8: after them row i holds column i.
void transpose_16x16(const std::uint8_t* input, std::int64_t input_stride, std::uint8_t* output,
                     std::int64_t output_stride) {
    typedef std::uint8_t Row __attribute__((vector_size(16)));
    Row rows[16], next[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) std::memcpy(&rows[i], input + i * input_stride, 16);
#pragma GCC unroll 4
    for (int round = 0; round < 4; ++round) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; ++i) {
            next[2 * i] =
                __builtin_shufflevector(rows[i], rows[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                                      29, 14, 30, 15, 31);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i) rows[i] = next[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) std::memcpy(output + i * output_stride, &rows[i], 16);
}

}    // namespace

void transpose(const std::uint8_t* input, std::int64_t input_stride, int rows, int columns, std::uint8_t* output,
               std::int64_t output_stride) {
    for (int row = 0; row < rows; row += 16) {
        for (int column = 0; column < columns; column += 16) {
            const std::uint8_t* from = input + row * input_stride + column;
            std::uint8_t* to = output + column * output_stride + row;
            if (row + 16 <= rows && column + 16 <= columns) {
                transpose_16x16(from, input_stride, to, output_stride);
                continue;
            }
            for (int i = 0; i < std::min(16, rows - row); ++i)
                for (int j = 0; j < std::min(16, columns - column); ++j)
                    to[j * output_stride + i] = from[i * input_stride + j];
        }
    }
}

}    // namespace blip

// See operator_kernels.h. Fused multiply-adds are part of the result: where the processor lacks them, the C library's
// fmaf computes the same, slowly.
#include "src/image/operator_kernels.h"

#include <algorithm>
#include <cmath>

#include "src/image/intrinsics.h"

namespace blip {
namespace {

// Positions [begin, count): any processor, and what is left over of the vector variants.
void split_from(int begin, const std::uint8_t* pixels, int count, bool reversed, std::uint8_t* output,
                std::int64_t plane) {
    const std::uint8_t* first = reversed ? pixels + 3 * (count - 1) : pixels;
    const int step = reversed ? -3 : 3;
    for (int channel = 0; channel < 3; ++channel)
        for (int x = begin; x < count; ++x) output[channel * plane + x] = first[x * step + channel];
}

void split_row_plain(const std::uint8_t* pixels, int count, bool reversed, std::uint8_t* output, std::int64_t plane) {
    split_from(0, pixels, count, reversed, output, plane);
}

// Positions [begin, count), as above.
void lerp_from(int begin, const std::uint8_t* taps, int count, float p, float q, int whole, std::uint8_t* output) {
    for (int i = begin; i < count; ++i) {
        const float share = fmaf(p, q, static_cast<float>(i)) - static_cast<float>(i + whole);
        output[i] = static_cast<std::uint8_t>(rintf(lerp_fused(share, taps[i], taps[i + 1])));
    }
}

void lerp_row_plain(const std::uint8_t* taps, int count, float p, float q, int whole, std::uint8_t* output) {
    lerp_from(0, taps, count, p, q, whole, output);
}

float channel_of(std::uint32_t pixel, int channel) { return static_cast<float>(pixel >> (8 * channel) & 0xFF); }

// Columns [begin, width). A coordinate far outside is pulled into the frame, where all taps are the border's.
void affine_from(int begin, const FramedPixels& input, const AffineMap& map, int y, std::uint8_t* output,
                 std::int64_t plane) {
    const std::int64_t stride = input.width + 2 * frame;
    const auto fy = static_cast<float>(y);
    const float start_x = fy * map.to[1] + map.to[2], start_y = fy * map.to[4] + map.to[5];
    for (int x = begin; x < input.width; ++x) {
        const auto fx = static_cast<float>(x);
        const float from_x = fmaf(fx, map.to[0], start_x), from_y = fmaf(fx, map.to[3], start_y);
        const float left = floorf(from_x), above = floorf(from_y);
        const int column = std::clamp(static_cast<int>(left), -frame, input.width) + frame;
        const int row = std::clamp(static_cast<int>(above), -frame, input.height) + frame;
        const std::uint32_t* pixel = input.pixels + row * stride + column;
        for (int channel = 0; channel < 3; ++channel) {
            const float upper = lerp_fused(from_x - left, channel_of(pixel[0], channel), channel_of(pixel[1], channel));
            const float lower =
                lerp_fused(from_x - left, channel_of(pixel[stride], channel), channel_of(pixel[stride + 1], channel));
            output[channel * plane + x] = static_cast<std::uint8_t>(rintf(lerp_fused(from_y - above, upper, lower)));
        }
    }
}

void affine_row_plain(const FramedPixels& input, const AffineMap& map, int y, std::uint8_t* output,
                      std::int64_t plane) {
    affine_from(0, input, map, y, output, plane);
}

void look_up_plain(const std::uint8_t* table, std::uint8_t* bytes, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) bytes[i] = table[bytes[i]];
}

#if defined(__x86_64__)
#define BLIP_AVX2 [[gnu::target("avx2,fma")]]

// Which of the 48 bytes of 16 pixels make 16 levels of a channel, by the register of 16 they lie in; 0x80 gives 0.
struct SplitMasks {
    alignas(16) std::uint8_t of[2][3][3][16];    // reversed, channel, register
};
constexpr SplitMasks split_masks = [] {
    SplitMasks masks{};
    for (int reversed = 0; reversed < 2; ++reversed)
        for (int channel = 0; channel < 3; ++channel)
            for (int part = 0; part < 3; ++part)
                for (int i = 0; i < 16; ++i) {
                    const int byte = 3 * (reversed ? 15 - i : i) + channel - 16 * part;
                    masks.of[reversed][channel][part][i] =
                        static_cast<std::uint8_t>(byte >= 0 && byte < 16 ? byte : 0x80);
                }
    return masks;
}();

BLIP_AVX2 void split_row_avx2(const std::uint8_t* pixels, int count, bool reversed, std::uint8_t* output,
                              std::int64_t plane) {
    const auto& masks = split_masks.of[reversed ? 1 : 0];
    int x = 0;
    for (; x + 16 <= count; x += 16) {
        const auto* from = reinterpret_cast<const __m128i*>(pixels + 3 * (reversed ? count - 16 - x : x));
        const __m128i part[3] = {_mm_loadu_si128(from), _mm_loadu_si128(from + 1), _mm_loadu_si128(from + 2)};
#pragma GCC unroll 3
        for (int channel = 0; channel < 3; ++channel) {
            __m128i levels_of_channel = _mm_setzero_si128();
#pragma GCC unroll 3
            for (int i = 0; i < 3; ++i) {
                const __m128i mask = _mm_load_si128(reinterpret_cast<const __m128i*>(masks[channel][i]));
                levels_of_channel = _mm_or_si128(levels_of_channel, _mm_shuffle_epi8(part[i], mask));
            }
            _mm_storeu_si128(reinterpret_cast<__m128i*>(output + channel * plane + x), levels_of_channel);
        }
    }
    split_from(x, pixels, count, reversed, output, plane);
}

BLIP_AVX2 inline __m256 floats_of_bytes(const std::uint8_t* bytes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes))));
}

// Eight levels, rounded half to even, as bytes in the low half.
BLIP_AVX2 inline __m128i bytes_of_floats(__m256 values) {
    const __m256i integers = _mm256_cvtps_epi32(values);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(integers), _mm256_extracti128_si256(integers, 1));
    return _mm_packus_epi16(words, words);
}

BLIP_AVX2 inline __m256 lerp8(__m256 share, __m256 from, __m256 to) {
    return _mm256_fmadd_ps(share, _mm256_sub_ps(to, from), from);
}

BLIP_AVX2 inline __m256 first_eight(int begin) {
    return _mm256_add_ps(_mm256_set1_ps(static_cast<float>(begin)), _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7));
}

BLIP_AVX2 void lerp_row_avx2(const std::uint8_t* taps, int count, float p, float q, int whole, std::uint8_t* output) {
    const __m256 factor_p = _mm256_set1_ps(p), factor_q = _mm256_set1_ps(q);
    const __m256 shift = _mm256_set1_ps(static_cast<float>(whole)), eight = _mm256_set1_ps(8);
    __m256 at = first_eight(0);
    int i = 0;
    for (; i + 8 <= count; i += 8, at = _mm256_add_ps(at, eight)) {
        const __m256 share = _mm256_sub_ps(_mm256_fmadd_ps(factor_p, factor_q, at), _mm256_add_ps(at, shift));
        const __m256 value = lerp8(share, floats_of_bytes(taps + i), floats_of_bytes(taps + i + 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(output + i), bytes_of_floats(value));
    }
    lerp_from(i, taps, count, p, q, whole, output);
}

BLIP_AVX2 inline __m256 channel_of8(__m256i pixels, int channel) {
    return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(pixels, 8 * channel), _mm256_set1_epi32(0xFF)));
}

BLIP_AVX2 inline __m256i clamp8(__m256 whole, int low, int high) {
    return _mm256_min_epi32(_mm256_max_epi32(_mm256_cvttps_epi32(whole), _mm256_set1_epi32(low)),
                            _mm256_set1_epi32(high));
}

// A pixel and its right neighbour at each of eight places. (Gathers are slower on many processors.)
BLIP_AVX2 inline void load_pairs(const std::uint32_t* pixels, const std::int32_t* index, __m256i& left,
                                 __m256i& right) {
    const auto two = [&](int i, int j) {
        const auto* first = reinterpret_cast<const __m128i*>(pixels + index[i]);
        const auto* second = reinterpret_cast<const __m128i*>(pixels + index[j]);
        return _mm_unpacklo_epi64(_mm_loadl_epi64(first), _mm_loadl_epi64(second));
    };
    const __m256 a = _mm256_castsi256_ps(_mm256_set_m128i(two(4, 5), two(0, 1)));
    const __m256 b = _mm256_castsi256_ps(_mm256_set_m128i(two(6, 7), two(2, 3)));
    left = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    right = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xDD));
}

BLIP_AVX2 void affine_row_avx2(const FramedPixels& input, const AffineMap& map, int y, std::uint8_t* output,
                               std::int64_t plane) {
    const int stride = input.width + 2 * frame;
    const auto fy = static_cast<float>(y);
    const __m256 start_x = _mm256_set1_ps(fy * map.to[1] + map.to[2]);
    const __m256 start_y = _mm256_set1_ps(fy * map.to[4] + map.to[5]);
    const __m256 step_x = _mm256_set1_ps(map.to[0]), step_y = _mm256_set1_ps(map.to[3]);
    const std::uint32_t* upper = input.pixels + static_cast<std::int64_t>(frame) * stride + frame;
    int x = 0;
    for (; x + 8 <= input.width; x += 8) {
        const __m256 fx = first_eight(x);
        const __m256 from_x = _mm256_fmadd_ps(fx, step_x, start_x), from_y = _mm256_fmadd_ps(fx, step_y, start_y);
        const __m256 left = _mm256_floor_ps(from_x), above = _mm256_floor_ps(from_y);
        const __m256 share_x = _mm256_sub_ps(from_x, left), share_y = _mm256_sub_ps(from_y, above);
        const __m256i column = clamp8(left, -frame, input.width), row = clamp8(above, -frame, input.height);
        const __m256i index = _mm256_add_epi32(_mm256_mullo_epi32(row, _mm256_set1_epi32(stride)), column);
        alignas(32) std::int32_t place[8];
        _mm256_store_si256(reinterpret_cast<__m256i*>(place), index);
        __m256i a, b, c, d;
        load_pairs(upper, place, a, b);
        load_pairs(upper + stride, place, c, d);
#pragma GCC unroll 3
        for (int channel = 0; channel < 3; ++channel) {
            const __m256 value = lerp8(share_y, lerp8(share_x, channel_of8(a, channel), channel_of8(b, channel)),
                                       lerp8(share_x, channel_of8(c, channel), channel_of8(d, channel)));
            _mm_storel_epi64(reinterpret_cast<__m128i*>(output + channel * plane + x), bytes_of_floats(value));
        }
    }
    affine_from(x, input, map, y, output, plane);
}

// 64 bytes at a time: two halves of the table, each in two registers, chosen by the top bit.
[[gnu::target("avx512f,avx512bw,avx512vl,avx512vbmi")]] void look_up_vbmi(const std::uint8_t* table,
                                                                          std::uint8_t* bytes, std::int64_t count) {
    __m512i part[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) part[i] = _mm512_loadu_si512(table + 64 * i);
    std::int64_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const __m512i index = _mm512_loadu_si512(bytes + i);
        const __m512i low = _mm512_permutex2var_epi8(part[0], index, part[1]);
        const __m512i high = _mm512_permutex2var_epi8(part[2], index, part[3]);
        _mm512_storeu_si512(bytes + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), low, high));
    }
    look_up_plain(table, bytes + i, count - i);
}
#undef BLIP_AVX2
#endif

}    // namespace

std::vector<OperatorKernels> all_operator_kernels() {
    std::vector<OperatorKernels> kernels{{"plain", split_row_plain, lerp_row_plain, affine_row_plain, look_up_plain}};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        kernels.push_back({"avx2", split_row_avx2, lerp_row_avx2, affine_row_avx2, look_up_plain});
    if (kernels.size() == 2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi"))
        kernels.push_back({"avx512", split_row_avx2, lerp_row_avx2, affine_row_avx2, look_up_vbmi});
#endif
    return kernels;
}

const OperatorKernels& operator_kernels() {
    static const OperatorKernels widest = all_operator_kernels().back();
    return widest;
}

}    // namespace blip

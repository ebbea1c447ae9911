// RandomAugment's operators on the CPU, on planes. Shears and translations move whole rows (or columns, turned into
// rows and back), so that only the rotation has to pick its pixels one by one.
#include "src/image/operators.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "src/image/operator_kernels.h"
#include "src/image/resize/kernel.h"

namespace blip {
namespace {

constexpr double shear_factor = 0.15, shift_pixels = 5, rotation_degrees = 15;

using Plane = std::vector<std::uint8_t>;

// output[x][y] = input[y][x]
void transpose_plane(const std::uint8_t* input, int height, int width, std::uint8_t* output) {
    for (int y = 0; y < height; y += 16) {
        for (int x = 0; x < width; x += 16) {
            const std::uint8_t* from = input + static_cast<std::int64_t>(y) * width + x;
            std::uint8_t* to = output + static_cast<std::int64_t>(x) * height + y;
            const int rows = std::min(16, height - y), columns = std::min(16, width - x);
            if (rows == 16 && columns == 16) {
                transpose_16x16(from, width, to, height);
                continue;
            }
            for (int i = 0; i < rows; ++i)
                for (int j = 0; j < columns; ++j) to[static_cast<std::int64_t>(j) * height + i] = from[i * width + j];
        }
    }
}

// Row r moves by factor * r, interpolated; in place. product_first: factor * r is rounded before the column is added
// (as the two coordinates of an affine map differ).
void shear_rows(float factor, bool product_first, int rows, int count, std::uint8_t* plane) {
    const int pad = static_cast<int>(std::ceil(std::abs(factor) * static_cast<float>(rows))) + 2;
    Plane padded(static_cast<std::size_t>(count + 2 * pad), border_level);
    for (int r = 0; r < rows; ++r) {
        const float p = product_first ? static_cast<float>(r) * factor : static_cast<float>(r);
        const float q = product_first ? 1.0F : factor;
        const int whole = static_cast<int>(std::floor(static_cast<double>(p) * q));
        std::uint8_t* row = plane + static_cast<std::int64_t>(r) * count;
        std::copy_n(row, count, padded.begin() + pad);
        operator_kernels().lerp_row(padded.data() + pad + whole, count, p, q, whole, row);
    }
}

// output(x, y) = input(x + right, y + down), in place.
void translate(int right, int down, int height, int width, std::uint8_t* plane) {
    const int kept_columns = std::max(width - std::abs(right), 0);
    for (int i = 0; i < height; ++i) {
        const int y = down >= 0 ? i : height - 1 - i;    // a row is read before it is written
        std::uint8_t* to = plane + static_cast<std::int64_t>(y) * width;
        const int from_row = y + down;
        if (from_row < 0 || from_row >= height || kept_columns == 0) {
            std::fill_n(to, width, border_level);
            continue;
        }
        const std::uint8_t* from = plane + static_cast<std::int64_t>(from_row) * width;
        std::memmove(to + std::max(-right, 0), from + std::max(right, 0), static_cast<std::size_t>(kept_columns));
        std::fill_n(right >= 0 ? to + kept_columns : to, width - kept_columns, border_level);
    }
}

// Three planes become pixels of four bytes, 16 at a time.
void interleave(const std::uint8_t* const planes[3], int count, std::uint32_t* pixels) {
    typedef std::uint8_t Bytes __attribute__((vector_size(16)));
    typedef std::uint16_t Pairs __attribute__((vector_size(16)));
    int i = 0;
    for (; i + 16 <= count; i += 16) {
        Bytes level[3];
        for (int c = 0; c < 3; ++c) std::memcpy(&level[c], planes[c] + i, 16);
        const Bytes none{};
        const auto low = [](Bytes a, Bytes b) {
            return (Pairs)__builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        };
        const auto high = [](Bytes a, Bytes b) {
            return (Pairs)__builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        };
        const Pairs red_green[2] = {low(level[0], level[1]), high(level[0], level[1])};
        const Pairs blue[2] = {low(level[2], none), high(level[2], none)};
        for (int half = 0; half < 2; ++half) {
            const Pairs first = __builtin_shufflevector(red_green[half], blue[half], 0, 8, 1, 9, 2, 10, 3, 11);
            const Pairs second = __builtin_shufflevector(red_green[half], blue[half], 4, 12, 5, 13, 6, 14, 7, 15);
            std::memcpy(pixels + i + 8 * half, &first, 16);
            std::memcpy(pixels + i + 8 * half + 4, &second, 16);
        }
    }
    for (; i < count; ++i) pixels[i] = planes[0][i] | planes[1][i] << 8 | planes[2][i] << 16;
}

void map_affine(const AffineMap& map, int height, int width, std::uint8_t* planes_CHW) {
    constexpr std::uint32_t border_pixel = border_level * 0x010101U;
    const std::int64_t stride = width + 2 * frame, plane = static_cast<std::int64_t>(height) * width;
    std::vector<std::uint32_t> framed(static_cast<std::size_t>(stride * (height + 2 * frame)));
    std::fill_n(framed.begin(), frame * stride, border_pixel);
    std::fill_n(framed.end() - frame * stride, frame * stride, border_pixel);
    for (int y = 0; y < height; ++y) {
        std::uint32_t* row = framed.data() + (y + frame) * stride;
        const std::uint8_t* first = planes_CHW + static_cast<std::int64_t>(y) * width;
        const std::uint8_t* const levels_of[3] = {first, first + plane, first + 2 * plane};
        std::fill_n(row, frame, border_pixel);
        interleave(levels_of, width, row + frame);
        std::fill_n(row + frame + width, frame, border_pixel);
    }
    for (int y = 0; y < height; ++y)
        operator_kernels().affine_row({framed.data(), height, width}, map, y,
                                      planes_CHW + static_cast<std::int64_t>(y) * width, plane);
}

// Eight tables in turn: counting one level twice in a row would wait for the first.
void count_levels(const std::uint8_t* bytes, std::int64_t count, std::uint32_t* counts) {
    std::uint32_t part[8][levels] = {};
    std::int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        std::uint64_t eight;
        std::memcpy(&eight, bytes + i, 8);
#pragma GCC unroll 8
        for (int k = 0; k < 8; ++k) ++part[k][eight >> (8 * k) & 0xFF];
    }
    for (; i < count; ++i) ++part[0][bytes[i]];
    std::fill_n(counts, levels, 0U);
    for (const auto& table : part)
        for (int level = 0; level < levels; ++level) counts[level] += table[level];
}

// AutoContrast needs no counts: the lowest and the highest level tell.
void lowest_and_highest(const std::uint8_t* bytes, std::int64_t count, int& lowest, int& highest) {
    typedef std::uint8_t Bytes __attribute__((vector_size(16)));
    Bytes low = ~Bytes{}, high{};
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        Bytes next;
        std::memcpy(&next, bytes + i, 16);
        low = low < next ? low : next;
        high = high > next ? high : next;
    }
    lowest = levels - 1;
    highest = 0;
    for (int k = 0; k < 16 && i > 0; ++k) {
        lowest = std::min<int>(lowest, low[k]);
        highest = std::max<int>(highest, high[k]);
    }
    for (; i < count; ++i) {
        lowest = std::min<int>(lowest, bytes[i]);
        highest = std::max<int>(highest, bytes[i]);
    }
}

void map_levels(ImageOperator kind, std::int64_t count, std::uint8_t* plane) {
    std::uint8_t table[levels];
    if (kind == ImageOperator::auto_contrast) {
        int lowest = 0, highest = 0;
        lowest_and_highest(plane, count, lowest, highest);
        for (int level = 0; level < levels; ++level) table[level] = contrast_level(level, lowest, highest);
    } else {
        std::uint32_t counts[levels];
        count_levels(plane, count, counts);
        equalize_table(counts, table);
    }
    operator_kernels().look_up(table, plane, count);
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
    if (operation.kind == ImageOperator::rotate) return map_affine(map, height, width, planes_CHW);
    Plane turned(operation.kind == ImageOperator::shear_y ? static_cast<std::size_t>(count) : 0);
    for (int channel = 0; channel < 3; ++channel) {
        std::uint8_t* plane = planes_CHW + channel * count;
        switch (operation.kind) {
            case ImageOperator::auto_contrast:
            case ImageOperator::equalize:
                map_levels(operation.kind, count, plane);
                break;
            case ImageOperator::shear_x:
                shear_rows(map.to[1], true, height, width, plane);
                break;
            case ImageOperator::shear_y:
                transpose_plane(plane, height, width, turned.data());
                shear_rows(map.to[3], false, width, height, turned.data());
                transpose_plane(turned.data(), width, height, plane);
                break;
            case ImageOperator::translate_x:
            case ImageOperator::translate_y:
                translate(static_cast<int>(map.to[2]), static_cast<int>(map.to[5]), height, width, plane);
                break;
            default:
                break;
        }
    }
}

}    // namespace blip

// See element_type.h.
#include "blip/weights/element_type.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace blip {
namespace {

static_assert(std::endian::native == std::endian::little, "stored weights are little-endian");

struct ElementType {
    std::string_view name;
    std::uint64_t bytes;
};
constexpr ElementType known[] = {
    {"F64", 8}, {"F32", 4},  {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4},     {"I16", 2},     {"I8", 1},
    {"U8", 1},  {"BOOL", 1}, {"U16", 2}, {"U32", 4},  {"U64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1},
};

float from_half(std::uint16_t half) {
    const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
    const std::uint32_t exponent = (half >> 10) & 31U, fraction = half & 1023U;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | fraction << 13);
    if (exponent > 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;    // subnormal in half, exact in float
    return sign != 0 ? -magnitude : magnitude;
}

float from_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

template <class Stored, class Convert>
void convert(std::span<const std::byte> from, std::span<float> to, Convert value_of) {
    for (std::size_t i = 0; i < to.size(); ++i) {
        Stored stored;
        std::memcpy(&stored, from.data() + i * sizeof stored, sizeof stored);
        to[i] = value_of(stored);
    }
}

}    // namespace

std::uint64_t element_bytes(std::string_view dtype) {
    const auto* found =
        std::find_if(std::begin(known), std::end(known), [&](const ElementType& type) { return type.name == dtype; });
    return found == std::end(known) ? 0 : found->bytes;
}

bool is_floating(std::string_view dtype) {
    return dtype == "F32" || dtype == "BF16" || dtype == "F16" || dtype == "F64";
}

void to_floats(std::string_view dtype, std::span<const std::byte> from, std::span<float> to) {
    if (dtype == "F32") {
        if (!to.empty()) std::memcpy(to.data(), from.data(), to.size_bytes());
    } else if (dtype == "F64") {
        convert<double>(from, to, [](double value) { return static_cast<float>(value); });
    } else if (dtype == "F16") {
        convert<std::uint16_t>(from, to, from_half);
    } else {
        convert<std::uint16_t>(from, to, from_bfloat16);
    }
}

bool size_of_shape(const std::vector<std::int64_t>& shape, std::uint64_t bytes_each, std::uint64_t& bytes) {
    bytes = bytes_each;
    bool fits = true;
    for (const std::int64_t extent : shape) {
        if (extent < 0) return false;
        fits = !__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes) && fits;
    }
    return fits && bytes <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

}    // namespace blip

// Stored numbers to fp32, against LibTorch's own conversions, all 65,536 of the 16-bit ones.
#include "blip/weights/element_type.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>

namespace blip::test {
namespace {

template <class Stored>
float converted(const char* dtype, Stored stored) {
    std::byte unaligned[sizeof stored + 1];
    std::memcpy(unaligned + 1, &stored, sizeof stored);
    float value = 0;
    to_floats(dtype, {unaligned + 1, sizeof stored}, {&value, 1});
    return value;
}
bool same(float a, float b) {
    return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

BOOST_AUTO_TEST_SUITE(element_type)

BOOST_AUTO_TEST_CASE(sixteen_bits) {
    int differ = 0;
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const auto stored = static_cast<std::uint16_t>(bits);
        differ += !same(converted("F16", stored), c10::Half(stored, c10::Half::from_bits()));
        differ += !same(converted("BF16", stored), c10::BFloat16(stored, c10::BFloat16::from_bits()));
    }
    BOOST_TEST(differ == 0);
}

BOOST_AUTO_TEST_CASE(doubles_round_to_nearest_even) {
    BOOST_TEST(converted("F64", 1.0 + 0x1p-24) == 1.0F);                 // a tie, to even
    BOOST_TEST(converted("F64", 1.0 + 0x1.8p-23) == 1.0F + 0x1p-22F);    // a tie, to even
    BOOST_TEST(converted("F64", 1.0 + 0x1.000001p-24) == 1.0F + 0x1p-23F);
    BOOST_TEST(converted("F64", 1e300) == std::numeric_limits<float>::infinity());
    BOOST_TEST(converted("F64", 0x1p-149) == 0x1p-149F);
    BOOST_TEST(std::isnan(converted("F64", std::nan(""))));
    BOOST_TEST(std::signbit(converted("F64", -0.0)));
    BOOST_TEST(converted("F32", 0.1F) == 0.1F);
}

BOOST_AUTO_TEST_CASE(sizes_that_do_not_fit) {
    std::uint64_t bytes = 0;
    constexpr std::int64_t half = std::int64_t{1} << 32;
    BOOST_TEST((size_of_shape({3, 4}, 2, bytes) && bytes == 24));
    BOOST_TEST((size_of_shape({}, 8, bytes) && bytes == 8));
    BOOST_TEST((size_of_shape({0, 5}, 8, bytes) && bytes == 0));
    BOOST_TEST(!size_of_shape({half, half}, 1, bytes));
    BOOST_TEST(!size_of_shape({half, half / 4}, 8, bytes));
    BOOST_TEST(!size_of_shape({half, half / 2}, 1, bytes));    // 63 bits
    BOOST_TEST(!size_of_shape({0, -1}, 1, bytes));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

// What is decided about every code point, against Python 3.11, whose tables are those of Unicode 14.0 too: an ICU that
// decides otherwise, older or newer, is noticed. The values are printed by tests/reference/make_unicode_digests.py.
#include "blip/text/unicode.h"

#include <unicode/uchar.h>
#include <zlib.h>

#include <boost/test/unit_test.hpp>

namespace blip::test {
namespace {

std::string kind(char32_t c) {
    const std::uint32_t category = category_mask(c);
    if ((category & U_GC_C_MASK) != 0) return "C";
    if ((category & U_GC_P_MASK) != 0) return "P";
    if ((category & U_GC_ZS_MASK) != 0) return "Zs";
    if ((category & U_GC_MN_MASK) != 0) return "Mn";
    return (category & (U_GC_L_MASK | U_GC_ND_MASK)) != 0 ? "word" : "other";
}

// CRC-32 of a line for each code point.
template <class Of>
unsigned long digest(Of of) {
    std::string lines;
    for (char32_t c = 0; c < 0x110000; ++c)
        if (c < 0xD800 || c >= 0xE000) lines += of(c) + "\n";
    return crc32(0, reinterpret_cast<const Bytef*>(lines.data()), static_cast<uInt>(lines.size()));
}

}    // namespace

BOOST_AUTO_TEST_SUITE(unicode)

BOOST_AUTO_TEST_CASE(all_code_points_are_decided_as_by_python) {
    BOOST_TEST(digest(kind) == 0xa899513bU);
    BOOST_TEST(digest([](char32_t c) { return is_python_space(c) ? "1" : std::string("0"); }) == 0x384da842U);
    BOOST_TEST(digest([](char32_t c) { return lower_case(to_utf8({&c, 1})); }) == 0x5ba07120U);
    // an unassigned character is dropped before its word is folded
    BOOST_TEST(digest([](char32_t c) { return kind(c) == "C" ? "" : to_utf8(fold({&c, 1})); }) == 0xb7a74111U);
}

BOOST_AUTO_TEST_CASE(a_later_character_is_unassigned) {
    BOOST_TEST(category_mask(0x1FAE8) == U_GC_CN_MASK);    // a face of Unicode 15.0
    // nor does one let the sigma before it be inside a word, as it does to an ICU that knows it; it stays, as U+FFFF
    // does
    BOOST_TEST(lower_case("\u0391\u03A3\U0001E4EC\u0391 \uFFFF\u00C4") == "\u03B1\u03C2\U0001E4EC\u03B1 \uFFFF\u00E4");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

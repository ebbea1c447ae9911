// Counter-based random numbers: the published generator, uniformity, independence of what was drawn before.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "blip/base/random.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(random_numbers)

// Known answers of Random123's own test file (kat_vectors): philox4x32, 10 rounds, counter and key zero.
BOOST_AUTO_TEST_CASE(philox_gives_its_published_values) {
    const auto words = philox(0, 0);
    const std::array<std::uint32_t, 4> expected{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    BOOST_TEST(words == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(keys_differ_in_every_part) {
    std::set<std::uint64_t> keys;
    std::size_t made = 0;
    for (const std::uint64_t seed : {0u, 1u, 42u}) {
        for (const auto purpose : {RandomPurpose::shuffle, RandomPurpose::augmentation, RandomPurpose::dropout}) {
            keys.insert(random_key(seed, purpose));
            ++made;
            for (std::uint64_t a = 0; a < 20; ++a) {
                keys.insert(random_key(seed, purpose, {a}));
                ++made;
                for (std::uint64_t b = 0; b < 20; ++b, ++made) keys.insert(random_key(seed, purpose, {a, b}));
            }
        }
    }
    BOOST_TEST(keys.size() == made);
    BOOST_TEST(random_key(7, RandomPurpose::shuffle, {1, 2}) == random_key(7, RandomPurpose::shuffle, {1, 2}));
}

BOOST_AUTO_TEST_CASE(streams_repeat_and_do_not_disturb_one_another) {
    RandomStream first(11), second(12), again(11);
    std::vector<std::uint32_t> a, b;
    for (int i = 0; i < 100; ++i) {
        a.push_back(first.next_u32());
        second.next_u64();
    }
    for (int i = 0; i < 100; ++i) b.push_back(again.next_u32());
    BOOST_TEST(a == b, boost::test_tools::per_element());
    // the words of counter 0, 1, ... in order
    BOOST_TEST(a[5] == philox(11, 1)[1]);
}

BOOST_AUTO_TEST_CASE(uniform_numbers_have_their_moments) {
    constexpr int count = 200000;
    RandomStream stream(random_key(1, RandomPurpose::sampling));
    double sum = 0, squares = 0, least = 1, most = 0;
    for (int i = 0; i < count; ++i) {
        const double x = stream.uniform();
        sum += x;
        squares += x * x;
        least = std::min(least, x);
        most = std::max(most, x);
    }
    BOOST_TEST(least >= 0.0);
    BOOST_TEST(most < 1.0);
    // five standard errors: sqrt(1/12/n), sqrt(4/45/n)
    BOOST_TEST(std::abs(sum / count - 0.5) < 5 * std::sqrt(1.0 / 12 / count));
    BOOST_TEST(std::abs(squares / count - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / count));
}

BOOST_AUTO_TEST_CASE(whole_numbers_are_fair_and_in_range) {
    constexpr std::uint64_t sides = 7;
    constexpr int count = 140000;
    RandomStream stream(3);
    std::vector<int> seen(sides);
    for (int i = 0; i < count; ++i) ++seen.at(stream.below(sides));
    const double expected = static_cast<double>(count) / sides;
    for (const int n : seen) BOOST_TEST(std::abs(n - expected) < 5 * std::sqrt(expected));
    BOOST_TEST(stream.below(1) == 0u);
    const std::uint64_t huge = (std::uint64_t{1} << 63) + 1;
    for (int i = 0; i < 100; ++i) BOOST_TEST(stream.below(huge) < huge);
}

BOOST_AUTO_TEST_CASE(normal_numbers_have_their_moments) {
    constexpr int count = 200000;
    RandomStream stream(5);
    double sum = 0, squares = 0;
    for (int i = 0; i < count; ++i) {
        const double x = stream.normal();
        BOOST_REQUIRE(std::isfinite(x));
        sum += x;
        squares += x * x;
    }
    BOOST_TEST(std::abs(sum / count) < 5 / std::sqrt(count));
    BOOST_TEST(std::abs(squares / count - 1) < 5 * std::sqrt(2.0 / count));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

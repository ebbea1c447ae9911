// RandomAugment's operators: whole pictures against the arithmetic of one value, and closed forms.
#include <boost/test/unit_test.hpp>

#include "blip/base/random.h"
#include "src/image/operators.h"
#include "tests/unit/image/pictures.h"

namespace blip::test {
namespace {

constexpr std::pair<int, int> sizes[] = {{1, 1},   {1, 50},  {50, 1},  {4, 3},   {5, 9},    {16, 16},
                                         {31, 47}, {40, 33}, {96, 96}, {37, 64}, {120, 17}, {200, 208}};

std::vector<std::uint8_t> noise(std::size_t bytes, std::uint64_t key) {
    RandomStream random(key);
    std::vector<std::uint8_t> values(bytes);
    for (auto& value : values) value = static_cast<std::uint8_t>(random.next_u32());
    return values;
}

std::vector<std::uint8_t> planes_of(const Image& image) {
    const std::size_t plane = static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width);
    std::vector<std::uint8_t> planes(3 * plane);
    for (std::size_t i = 0; i < plane; ++i)
        for (std::size_t c = 0; c < 3; ++c) planes[c * plane + i] = image.pixels_HWC[3 * i + c];
    return planes;
}

std::vector<std::uint8_t> applied(ImageOperator kind, bool negative, int height, int width,
                                  std::vector<std::uint8_t> planes) {
    apply_operator({kind, negative}, height, width, planes.data());
    return planes;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(operators)

BOOST_AUTO_TEST_CASE(moved_pixels_are_those_of_the_map) {
    for (const auto& [height, width] : sizes) {
        const std::size_t plane = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
        const std::vector<std::uint8_t> input = noise(3 * plane, 5);
        for (int kind = static_cast<int>(ImageOperator::shear_x); kind < image_operator_count; ++kind) {
            for (const bool negative : {false, true}) {
                const SignedOperator operation{static_cast<ImageOperator>(kind), negative};
                const AffineMap map = affine_map(operation, height, width);
                std::vector<std::uint8_t> expected(3 * plane);
                for (std::size_t i = 0; i < 3 * plane; ++i)
                    expected[i] =
                        affine_level(input.data() + i / plane * plane, height, width, map,
                                     static_cast<int>(i % plane) % width, static_cast<int>(i % plane) / width);
                BOOST_TEST_CONTEXT("operator " << kind << " negative " << negative << " " << height << "x" << width)
                BOOST_TEST((applied(operation.kind, negative, height, width, input) == expected));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(translations_move_and_fill) {
    const int height = 9, width = 12;
    const Image image = picture(height, width);
    const auto input = planes_of(image);
    const auto left = applied(ImageOperator::translate_x, false, height, width, input);
    const auto down = applied(ImageOperator::translate_y, true, height, width, input);
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            BOOST_TEST(left[y * width + x] == (x + 5 < width ? input[y * width + x + 5] : 128));
            BOOST_TEST(down[y * width + x] == (y >= 5 ? input[(y - 5) * width + x] : 128));
        }
    }
}

BOOST_AUTO_TEST_CASE(operators_without_effect_change_nothing) {
    const auto input = planes_of(picture(20, 30));
    for (const auto kind : {ImageOperator::identity, ImageOperator::brightness, ImageOperator::sharpness})
        for (const bool negative : {false, true}) BOOST_TEST((applied(kind, negative, 20, 30, input) == input));
}

BOOST_AUTO_TEST_CASE(contrast_reaches_both_ends) {
    // channels: 40..167, uniform, already full
    constexpr int side = 16;
    std::vector<std::uint8_t> planes(3 * side * side, 77);
    for (int i = 0; i < side * side; ++i) {
        planes[i] = static_cast<std::uint8_t>(40 + i / 2);
        planes[2 * side * side + i] = static_cast<std::uint8_t>(i);
    }
    const auto before = planes;
    planes = applied(ImageOperator::auto_contrast, false, side, side, planes);
    for (int i = 0; i < side * side; ++i) {
        const int exact = (i / 2) * 255 / 127;    // rounding of the scale may take one more away
        BOOST_TEST(planes[i] <= exact);
        BOOST_TEST(planes[i] >= exact - 1);
    }
    BOOST_TEST(planes[0] == 0);
    BOOST_TEST((std::equal(before.begin() + side * side, before.end(), planes.begin() + side * side)));
}

// Two levels, equally often: the lower goes to half a step of the way, the higher to the top.
BOOST_AUTO_TEST_CASE(equalized_levels) {
    constexpr int side = 32, half = side * side / 2;
    std::vector<std::uint8_t> planes(3 * side * side, 9);
    std::fill_n(planes.begin(), half, std::uint8_t{100});
    std::fill_n(planes.begin() + half, half, std::uint8_t{103});
    const auto before = planes;
    planes = applied(ImageOperator::equalize, false, side, side, planes);
    // step = 512 div 255 = 2, from 1: 100 -> 1 div 2, 103 -> 513 div 2, at most 255
    BOOST_TEST(std::count(planes.begin(), planes.begin() + half, 0) == half);
    BOOST_TEST(std::count(planes.begin() + half, planes.begin() + 2 * half, 255) == half);
    BOOST_TEST((std::equal(before.begin() + 2 * half, before.end(), planes.begin() + 2 * half)));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

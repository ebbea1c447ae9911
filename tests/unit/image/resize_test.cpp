// The resize against Pillow's digests and closed forms; the vector kernel against the plain one.
#include "blip/image/resize.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "src/image/resize/kernel.h"
#include "tests/golden/sha256.h"
#include "tests/support/paths.h"
#include "tests/unit/image/pictures.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(resize)

// Made by tests/reference/make_pillow_data.py: enlarging, shrinking, both orders of passes, single passes, thin
// pictures.
BOOST_AUTO_TEST_CASE(digests_equal_pillow) {
    const nlohmann::json rows = read_json(repository_root() / "tests/golden/data/pillow.json").at("resizes");
    BOOST_TEST(rows.size() >= 20u);
    for (const auto& row : rows) {
        BOOST_TEST_CONTEXT(row.dump()) {
            const Image image = picture(row.at("height"), row.at("width"));
            const auto& b = row.at("box");
            const int out_height = row.at("out")[0], out_width = row.at("out")[1];
            std::vector<std::uint8_t> output(static_cast<std::size_t>(out_height) * out_width * 3);
            resize_bicubic(image, Box{b[0], b[1], b[2], b[3]}, out_height, out_width, output.data());
            BOOST_TEST(sha256(output) == row.at("sha256").get<std::string>());
        }
    }
}

BOOST_AUTO_TEST_CASE(kernels_agree) {
    RandomStream stream(1);
    for (const int count : {1, 3, 15, 16, 17, 47, 48, 49, 95, 96, 144, 333, 1152}) {
        for (const int taps : {1, 2, 5, 8, 13}) {
            std::vector<std::uint8_t> rows(static_cast<std::size_t>(taps) * count);
            for (auto& byte : rows) byte = static_cast<std::uint8_t>(stream.below(256));
            std::vector<std::int32_t> weights(taps);
            // also sums far outside 0..255, which are clipped
            for (auto& weight : weights) weight = static_cast<std::int32_t>(stream.below(1 << 24)) - (1 << 23);
            for (auto& weight : weights) weight /= taps;
            std::vector<std::uint8_t> expected(count), output(count);
            weighted_rows_plain(rows.data(), count, count, weights.data(), taps, expected.data());
            weighted_rows_kernel()(rows.data(), count, count, weights.data(), taps, output.data());
            BOOST_TEST_CONTEXT("count " << count << " taps " << taps)
            BOOST_TEST(output == expected, boost::test_tools::per_element());
        }
    }
}

BOOST_AUTO_TEST_CASE(transpose_is_one) {
    for (const auto& [rows, columns] : {std::pair{16, 16}, {1, 1}, {16, 50}, {35, 16}, {33, 47}}) {
        const int stride = columns + 4, turned_stride = rows + 8;
        std::vector<std::uint8_t> input(rows * stride), output(columns * turned_stride, 0);
        for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::uint8_t>(i * 37 + (i >> 3));
        transpose(input.data(), stride, rows, columns, output.data(), turned_stride);
        for (int row = 0; row < turned_stride; ++row)
            for (int column = 0; column < columns; ++column)
                BOOST_REQUIRE_EQUAL(output[column * turned_stride + row],
                                    row < rows ? input[row * stride + column] : 0);
    }
}

BOOST_AUTO_TEST_CASE(one_colour_stays_one_colour) {
    for (const int value : {0, 1, 127, 254, 255}) {
        const Image image{37, 61, std::vector<std::uint8_t>(37 * 61 * 3, static_cast<std::uint8_t>(value))};
        for (const auto& [height, width] : {std::pair{96, 96}, {5, 7}, {37, 20}, {80, 61}}) {
            for (const std::uint8_t byte : resize_bicubic(image, height, width).pixels_HWC)
                BOOST_REQUIRE_EQUAL(byte, value);
        }
    }
}

BOOST_AUTO_TEST_CASE(pixels_outside_the_box_are_never_used) {
    Image image = picture(40, 50);
    const Box box{7, 11, 20, 30};
    std::vector<std::uint8_t> before(33 * 44 * 3), after(before.size());
    resize_bicubic(image, box, 33, 44, before.data());
    for (int y = 0; y < 40; ++y) {
        for (int x = 0; x < 50; ++x) {
            const bool inside = y >= 7 && y < 27 && x >= 11 && x < 41;
            if (!inside) std::fill_n(image.pixels_HWC.begin() + (y * 50 + x) * 3, 3, std::uint8_t{255});
        }
    }
    resize_bicubic(image, box, 33, 44, after.data());
    BOOST_TEST(before == after, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(impossible_boxes_are_refused) {
    const Image image = picture(10, 12);
    std::vector<std::uint8_t> output(8 * 8 * 3);
    for (const Box box : {Box{0, 0, 11, 12}, Box{1, 0, 10, 12}, Box{0, 3, 10, 10}, Box{-1, 0, 5, 5}, Box{0, 0, 0, 5},
                          Box{2147483647, 0, 1, 1}, Box{0, 0, 2147483647, 1}}) {
        BOOST_CHECK_THROW(resize_bicubic(image, box, 8, 8, output.data()), Error);
    }
    BOOST_CHECK_THROW(resize_bicubic(image, 0, 8), Error);
    BOOST_CHECK_THROW(resize_bicubic(image, 8, -1), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

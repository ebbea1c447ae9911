// Decoded and resized pixels against Pillow's, by digest: every picture of golden.json.gz and every crop box.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/image/picture.h"
#include "blip/image/resize.h"
#include "tests/golden/sha256.h"
#include "tests/support/paths.h"

namespace blip::test {
BOOST_AUTO_TEST_SUITE(image_hashes)

BOOST_AUTO_TEST_CASE(decoding_and_squash_equal_pillow,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_coco)) {
    const nlohmann::json images = read_json(golden_file("golden.json.gz")).at("images");
    BOOST_REQUIRE(!images.empty());
    for (const auto& [name, expected] : images.items()) {
        BOOST_TEST_CONTEXT(name) {
            const Image image = decode_picture_file(coco_file(name));
            BOOST_TEST(image.width == expected.at("width").get<int>());
            BOOST_TEST(image.height == expected.at("height").get<int>());
            BOOST_TEST(sha256(image.pixels_HWC) == expected.at("rgb_sha256").get<std::string>());
            for (const int size : {96, 224, 384}) {
                BOOST_TEST(sha256(resize_bicubic(image, size, size).pixels_HWC) ==
                           expected.at("bicubic_" + std::to_string(size) + "_sha256").get<std::string>());
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(crop_and_resize_equal_pillow,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_coco)) {
    const nlohmann::json images = read_json(golden_file("resized_crops.json"));
    BOOST_REQUIRE(!images.empty());
    for (const auto& [name, crops] : images.items()) {
        const Image image = decode_picture_file(coco_file(name));
        for (const auto& crop : crops) {
            BOOST_TEST_CONTEXT(name << " " << crop.dump()) {
                const Box box{crop.at("top"), crop.at("left"), crop.at("height"), crop.at("width")};
                const int size = crop.at("size");
                std::vector<std::uint8_t> output(static_cast<std::size_t>(size) * size * 3);
                resize_bicubic(image, box, size, size, output.data());
                BOOST_TEST(sha256(output) == crop.at("sha256").get<std::string>());
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// What CLIP sees of a picture: sides, the square in the middle, values; and what its configuration may ask for.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "src/clip/config.h"
#include "src/clip/pixels.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

ClipPictures plain(int shorter, int crop) { return {shorter, crop, {0, 0, 0}, {1, 1, 1}}; }

// Its red is the column, its green the row.
Image numbered(int height, int width) {
    Image image{height, width, {}};
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (const int value : {x, y, 7}) image.pixels_HWC.push_back(static_cast<std::uint8_t>(value));
    return image;
}

// Left and top of the square that is seen.
std::pair<int, int> corner(int height, int width, int crop) {
    std::vector<float> pixels(static_cast<std::size_t>(3 * crop * crop));
    clip_pixels(numbered(height, width), plain(std::min(height, width), crop), "x.png", pixels.data());
    return {std::lround(pixels[0] * 255), std::lround(pixels[static_cast<std::size_t>(crop * crop)] * 255)};
}

std::string refusal(const std::string& file, const nlohmann::json& text) {
    const TempDir folder;
    write_bytes(folder / file, text.dump());
    try {
        if (file == "config.json") (void)read_clip_config(folder.path());
        (void)read_clip_pictures(folder.path(), 224);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

BOOST_AUTO_TEST_SUITE(clip_pictures)

// torchvision's CenterCrop: int(round((side - crop) / 2)), where Python rounds halves to the even number
BOOST_AUTO_TEST_CASE(the_middle_is_torchvisions) {
    using Corner = std::pair<int, int>;
    BOOST_TEST((corner(10, 10, 10) == Corner{0, 0}));
    BOOST_TEST((corner(10, 14, 10) == Corner{2, 0}));
    BOOST_TEST((corner(10, 11, 10) == Corner{0, 0}));    // 0.5
    BOOST_TEST((corner(13, 10, 10) == Corner{0, 2}));    // 1.5
    BOOST_TEST((corner(10, 15, 10) == Corner{2, 0}));    // 2.5
    BOOST_TEST((corner(14, 16, 11) == Corner{2, 2}));    // 2.5 and 1.5
}

BOOST_AUTO_TEST_CASE(values_are_normalised_by_channel) {
    const Image image{2, 2, std::vector<std::uint8_t>{0, 51, 255, 0, 51, 255, 0, 51, 255, 0, 51, 255}};
    std::vector<float> pixels(12);
    clip_pixels(image, {2, 2, {0.5F, 0.1F, 0.75F}, {0.25F, 0.1F, 0.5F}}, "x.png", pixels.data());
    for (std::size_t i = 0; i < 4; ++i) {
        BOOST_TEST(pixels[i] == -2.0F, boost::test_tools::tolerance(1e-6F));
        BOOST_TEST(pixels[4 + i] == 1.0F, boost::test_tools::tolerance(1e-6F));
        BOOST_TEST(pixels[8 + i] == 0.5F, boost::test_tools::tolerance(1e-6F));
    }
}

// The longer side is rounded down: 5 * 33 / 10 = 16, and the middle of 16 begins at 5.5 -> 6 of a ramp of 33 pixels.
BOOST_AUTO_TEST_CASE(the_shorter_side_is_resized) {
    Image ramp{10, 33, {}};
    for (int y = 0; y < 10; ++y)
        for (int x = 0; x < 33; ++x)
            for (int c = 0; c < 3; ++c) ramp.pixels_HWC.push_back(static_cast<std::uint8_t>(7 * x));
    std::vector<float> pixels(75);
    clip_pixels(ramp, plain(5, 5), "x.png", pixels.data());
    for (int x = 0; x < 5; ++x) {
        const double expected = 7 * ((6 + x + 0.5) * 33 / 16 - 0.5);    // a ramp stays one
        BOOST_TEST(std::abs(pixels[static_cast<std::size_t>(x)] * 255 - expected) < 1.0, x);
    }
}

BOOST_AUTO_TEST_CASE(a_thread_is_no_picture) {
    const Image image{1, 20000, std::vector<std::uint8_t>(60000)};
    std::vector<float> pixels(12);
    try {
        clip_pixels(image, plain(200, 2), "x.png", pixels.data());
        BOOST_ERROR("was taken");
    } catch (const Error& error) {
        BOOST_TEST((error.code() == ExitCode::bad_data));
        BOOST_TEST(std::string(error.what()).find("x.png is 20000 x 1") != std::string::npos);
    }
}

// Hugging Face's classes leave out what equals their defaults, which are those of ViT-B/32.
BOOST_AUTO_TEST_CASE(defaults_are_those_of_vit_b_32) {
    const TempDir folder;
    write_bytes(folder / "config.json", R"({"model_type": "clip", "text_config": {}, "vision_config": null})");
    const ClipConfig config = read_clip_config(folder.path());
    BOOST_TEST(config.vision.width == 768);
    BOOST_TEST(config.vision.inner_width == 3072);
    BOOST_TEST(config.vision.depth == 12);
    BOOST_TEST(config.vision.heads == 12);
    BOOST_TEST(config.image_size == 224);
    BOOST_TEST(config.patch_size == 32);
    BOOST_TEST(config.text.width == 512);
    BOOST_TEST(config.text.inner_width == 2048);
    BOOST_TEST(config.text.depth == 12);
    BOOST_TEST(config.text.heads == 8);
    BOOST_TEST(config.text.quick_gelu);
    BOOST_TEST(config.words == 49408);
    BOOST_TEST(config.positions == 77);
    BOOST_TEST(config.end_token == 49407);
    BOOST_TEST(config.vector_size == 512);
    const ClipPictures pictures = read_clip_pictures(folder.path(), config.image_size);
    BOOST_TEST(pictures.shorter == 224);
    BOOST_TEST(pictures.crop == 224);
    BOOST_TEST(pictures.mean[1] == 0.4578275F);
    BOOST_TEST(pictures.deviation[2] == 0.27577711F);
}

BOOST_AUTO_TEST_CASE(what_is_asked_for_and_not_done_is_named) {
    using nlohmann::json;
    const auto names = [](const std::string& message, const char* field) {
        BOOST_TEST(message.find(field) != std::string::npos, field << " is not named: " << message);
    };
    for (const char* step : {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"})
        names(refusal("preprocessor_config.json", {{step, false}}), step);
    names(refusal("preprocessor_config.json", {{"rescale_factor", 1.0}}), "rescale_factor");
    names(refusal("preprocessor_config.json", {{"image_mean", {1, 2}}}), "image_mean");
    names(refusal("preprocessor_config.json", {{"size", 200}}), "size");
    names(refusal("preprocessor_config.json", {{"crop_size", {{"height", 224}, {"width", 200}}}}), "crop_size");
    BOOST_TEST(refusal("preprocessor_config.json", {{"size", 256}, {"crop_size", {{"height", 224}, {"width", 224}}}}) ==
               "");
    names(refusal("config.json", {{"hidden_size", 12}}), "text_config");
    names(refusal("config.json", {{"vision_config", {{"patch_size", 31}}}}), "patch_size");
    names(refusal("config.json", {{"vision_config", {{"num_channels", 4}}}}), "num_channels");
    names(refusal("config.json", {{"text_config", {{"max_position_embeddings", 2}}}}), "max_position_embeddings");
    names(refusal("config.json", {{"text_config", {{"num_hidden_layers", 1e9}}}}), "num_hidden_layers");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

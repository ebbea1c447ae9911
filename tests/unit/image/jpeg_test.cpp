// JPEG decoding against Pillow's digests; damaged files are errors, never crashes or made-up pixels.
#include "blip/image/jpeg.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdio>    // before jpeglib.h, which needs it
#include <cstdlib>

#include <jpeglib.h>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/image/picture.h"
#include "tests/golden/sha256.h"
#include "tests/support/paths.h"
#include "tests/unit/image/pictures.h"

namespace blip::test {
namespace {

Path jpeg_file(const std::string& name) { return repository_root() / "tests/golden/data/jpeg" / name; }

std::vector<std::uint8_t> jpeg_bytes(const std::string& name) {
    const std::string content = read_bytes(jpeg_file(name));
    return {content.begin(), content.end()};
}

}    // namespace

BOOST_AUTO_TEST_SUITE(jpeg)

// Colour, grey, CMYK, progressive, restart markers; made by tests/reference/make_pillow_data.py.
BOOST_AUTO_TEST_CASE(pixels_equal_pillow) {
    const nlohmann::json rows = read_json(repository_root() / "tests/golden/data/pillow.json").at("jpegs");
    BOOST_TEST(rows.size() >= 7u);
    for (const auto& [name, row] : rows.items()) {
        BOOST_TEST_CONTEXT(name) {
            const Image image = decode_picture_file(jpeg_file(name));
            BOOST_TEST(image.height == row.at("height").get<int>());
            BOOST_TEST(image.width == row.at("width").get<int>());
            BOOST_TEST(sha256(image.pixels_HWC) == row.at("sha256").get<std::string>());
            const ImageSize size = picture_size(jpeg_bytes(name), name);
            BOOST_TEST(size.height == image.height);
            BOOST_TEST(size.width == image.width);
        }
    }
}

// Inverted ink stored as YCCK: full light in black's channel shows the colours as they are.
BOOST_AUTO_TEST_CASE(ycck_is_inverted_ink) {
    std::vector<std::uint8_t> cmyk;
    for (int i = 0; i < 16 * 16; ++i) cmyk.insert(cmyk.end(), {200, 120, 40, 255});
    unsigned char* bytes = nullptr;
    unsigned long size = 0;
    jpeg_compress_struct encoder{};
    jpeg_error_mgr errors{};
    encoder.err = jpeg_std_error(&errors);
    jpeg_create_compress(&encoder);
    jpeg_mem_dest(&encoder, &bytes, &size);
    encoder.image_width = encoder.image_height = 16;
    encoder.input_components = 4;
    encoder.in_color_space = JCS_CMYK;
    jpeg_set_defaults(&encoder);
    jpeg_set_colorspace(&encoder, JCS_YCCK);
    jpeg_set_quality(&encoder, 100, TRUE);
    jpeg_start_compress(&encoder, TRUE);
    for (std::size_t y = 0; y < 16; ++y) {
        JSAMPROW row = cmyk.data() + y * 16 * 4;
        jpeg_write_scanlines(&encoder, &row, 1);
    }
    jpeg_finish_compress(&encoder);
    jpeg_destroy_compress(&encoder);
    const Image image = decode_jpeg({bytes, size}, "ycck.jpg");
    std::free(bytes);
    for (std::size_t i = 0; i < image.pixels_HWC.size(); i += 3) {
        BOOST_REQUIRE(std::abs(image.pixels_HWC[i] - 200) <= 2);
        BOOST_REQUIRE(std::abs(image.pixels_HWC[i + 1] - 120) <= 2);
        BOOST_REQUIRE(std::abs(image.pixels_HWC[i + 2] - 40) <= 2);
    }
}

BOOST_AUTO_TEST_CASE(encoded_pictures_come_back) {
    Image image{24, 36, {}};
    for (int y = 0; y < 24; ++y) {
        for (int x = 0; x < 36; ++x) {
            for (int c = 0; c < 3; ++c) image.pixels_HWC.push_back(static_cast<std::uint8_t>(60 + 3 * y + 2 * x));
        }
    }
    const Image back = decode_jpeg(encode_jpeg(image, 95), "made");
    BOOST_REQUIRE(back.height == 24);
    BOOST_REQUIRE(back.width == 36);
    for (std::size_t i = 0; i < image.pixels_HWC.size(); ++i) {
        BOOST_REQUIRE(std::abs(back.pixels_HWC[i] - image.pixels_HWC[i]) <= 4);
    }
    BOOST_CHECK_THROW(encode_jpeg(image, 0), Error);
}

BOOST_AUTO_TEST_CASE(cut_off_files_are_errors) {
    for (const char* name : {"colour_420.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "restarts.jpg"}) {
        const std::vector<std::uint8_t> whole = jpeg_bytes(name);
        for (std::size_t length = 0; length + 3 < whole.size(); length += 1 + whole.size() / 60) {
            expect_damaged(decode_jpeg, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
        }
        // all pixels there, but no end marker
        expect_damaged(decode_jpeg, {whole.begin(), whole.end() - 2});
    }
}

BOOST_AUTO_TEST_CASE(other_files_are_errors) {
    expect_damaged(decode_jpeg, {});
    expect_damaged(decode_jpeg, {0xFF, 0xD8});
    expect_damaged(decode_jpeg, {0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13});
    expect_damaged(decode_jpeg, std::vector<std::uint8_t>(5000, 0xFF));
    const TempDir folder;
    BOOST_CHECK_EXCEPTION(decode_picture_file(folder / "absent.jpg"), Error,
                          [](const Error& error) { return error.code() == ExitCode::missing_input; });
}

// Stray bytes before the end marker, with it and without, which cameras leave and Pillow passes over, keep the picture.
BOOST_AUTO_TEST_CASE(stray_bytes_are_forgiven) {
    std::vector<std::uint8_t> bytes = jpeg_bytes("colour_420.jpg");
    const Image image = decode_jpeg(bytes, "x");
    bytes.insert(bytes.end() - 2, {0, 0, 0, 0});
    BOOST_TEST(decode_jpeg(bytes, "x").pixels_HWC == image.pixels_HWC, boost::test_tools::per_element());
    bytes.resize(bytes.size() - 2);
    BOOST_TEST(decode_jpeg(bytes, "x").pixels_HWC == image.pixels_HWC, boost::test_tools::per_element());
}

// The end marker comes too early, or a restart marker and the rows behind it are gone: Pillow makes grey of what is
// missing.
BOOST_AUTO_TEST_CASE(missing_rows_are_errors) {
    for (const char* name : {"colour_420.jpg", "grey.jpg", "cmyk.jpg", "restarts.jpg", "progressive.jpg"}) {
        const std::vector<std::uint8_t> whole = jpeg_bytes(name);
        for (const std::size_t part : {3, 2}) {
            std::vector<std::uint8_t> bytes(whole.begin(),
                                            whole.end() - static_cast<std::ptrdiff_t>((whole.size() / part / 2 + 9)));
            if (bytes.back() == 0xFF) bytes.pop_back();
            bytes.insert(bytes.end(), {0xFF, 0xD9});
            BOOST_TEST_CONTEXT(name << " " << part) { expect_damaged(decode_jpeg, bytes); }
        }
    }
    std::vector<std::uint8_t> bytes = jpeg_bytes("restarts.jpg");
    const auto marker = [&](std::uint8_t number) {
        const std::uint8_t code[] = {0xFF, number};
        return std::search(bytes.begin(), bytes.end(), std::begin(code), std::end(code));
    };
    bytes.erase(marker(0xD1), marker(0xD2));
    expect_damaged(decode_jpeg, bytes);
}

// Lossless JPEGs, and those of 12 bits, are whole: fetching them again does not help.
BOOST_AUTO_TEST_CASE(kinds_that_are_not_read_are_named) {
    for (const std::size_t place : {1, 4}) {
        std::vector<std::uint8_t> bytes = jpeg_bytes("grey.jpg");
        const std::uint8_t frame[] = {0xFF, 0xC0};
        const auto found = std::search(bytes.begin(), bytes.end(), std::begin(frame), std::end(frame));
        found[place] = place == 1 ? 0xC3 : 12;
        BOOST_CHECK_EXCEPTION(decode_jpeg(bytes, "x"), Error, [](const Error& error) {
            const std::string text = error.what();
            return text.find("of a kind that is not read") != text.npos && text.find("fetch") == text.npos;
        });
    }
}

// A header that claims an absurd size is refused before memory is asked for.
BOOST_AUTO_TEST_CASE(absurd_sizes_are_refused) {
    std::vector<std::uint8_t> bytes = jpeg_bytes("colour_420.jpg");
    for (std::size_t i = 0; i + 9 < bytes.size(); ++i) {
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xC0) {
            std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(i) + 5, 4, std::uint8_t{0xF0});
            break;
        }
    }
    expect_damaged(decode_jpeg, bytes);
}

BOOST_AUTO_TEST_CASE(random_damage_never_crashes) {
    RandomStream stream(random_key(1, RandomPurpose::sampling));
    int decoded = 0, refused = 0;
    for (int round = 0; round < 1500; ++round) {
        static constexpr const char* names[] = {"colour_420.jpg", "grey.jpg", "cmyk.jpg", "progressive.jpg",
                                                "restarts.jpg"};
        std::vector<std::uint8_t> bytes = jpeg_bytes(names[stream.below(5)]);
        for (std::uint64_t n = 1 + stream.below(4); n > 0; --n) {
            bytes[stream.below(bytes.size())] = static_cast<std::uint8_t>(stream.below(256));
        }
        try {
            const ImageSize size = picture_size(bytes, "x");
            if (static_cast<std::int64_t>(size.height) * size.width > 4'000'000) continue;    // slow, not wrong
            const Image image = decode_jpeg(bytes, "x");
            BOOST_REQUIRE_EQUAL(image.pixels_HWC.size(), static_cast<std::size_t>(image.height) * image.width * 3);
            ++decoded;
        } catch (const Error& error) {
            BOOST_REQUIRE(error.code() == ExitCode::bad_data);
            ++refused;
        }
    }
    BOOST_TEST(decoded > 0);
    BOOST_TEST(refused > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

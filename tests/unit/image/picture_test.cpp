// Pictures of every form against Pillow's digests, told apart by content; damaged files: errors, never crashes or
// made-up pixels. The files are drawn by tests/reference/make_pillow_data.py and make_pillow_pictures.py.
#include "blip/image/picture.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "tests/golden/sha256.h"
#include "tests/support/paths.h"
#include "tests/unit/image/pictures.h"

namespace blip::test {
namespace {

using ByteVector = std::vector<std::uint8_t>;

Path golden_data() { return repository_root() / "tests/golden/data"; }

ByteVector bytes_of(const Path& file) {
    const std::string content = read_bytes(file);
    return {content.begin(), content.end()};
}
ByteVector png_bytes(const std::string& name) { return bytes_of(golden_data() / "png" / name); }
ByteVector picture_bytes(const std::string& name) { return bytes_of(golden_data() / "pictures" / name); }

constexpr auto decode = [](const ByteVector& bytes, const char* name) { return decode_picture(bytes, name); };

void expect_pixels(const Image& image, const nlohmann::json& row) {
    BOOST_TEST(image.height == row.at("height").get<int>());
    BOOST_TEST(image.width == row.at("width").get<int>());
    BOOST_TEST(sha256(image.pixels_HWC) == row.at("sha256").get<std::string>());
}

// What several users met, with files of theirs: ../shared/cases, where it is.
Path cases() { return repository_root() / "../shared/cases"; }
boost::test_tools::assertion_result has_cases(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result there(std::filesystem::exists(cases()));
    there.message() << "no folder ../shared/cases";
    return there;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(pictures)

// Every form, with the modes, sizes and odd headers that files have; and turned as EXIF says.
BOOST_AUTO_TEST_CASE(pixels_equal_pillow) {
    const nlohmann::json files = read_json(golden_data() / "pictures.json").at("files");
    BOOST_TEST(files.size() >= 300u);
    std::map<PictureKind, int> kinds;
    for (const auto& [name, row] : files.items()) {
        BOOST_TEST_CONTEXT(name) {
            const ByteVector bytes = picture_bytes(name);
            ++kinds[picture_kind(bytes)];
            expect_pixels(decode_picture(bytes, name), row);
            expect_pixels(decode_picture(bytes, name, ExifOrientation::applied), row.value("turned", row));
            const ImageSize size = picture_size(bytes, name);
            BOOST_TEST(size.height == row.at("height").get<int>());
            BOOST_TEST(size.width == row.at("width").get<int>());
        }
    }
    BOOST_TEST(kinds.size() == 6u);
}

// Grey, palette, colour and alpha at 1 to 16 bits, plain and interlaced, with transparent colours, gamma and a palette
// that is too short; made by tests/reference/make_pillow_data.py.
BOOST_AUTO_TEST_CASE(png_pixels_equal_pillow) {
    const nlohmann::json rows = read_json(golden_data() / "pillow.json").at("pngs");
    BOOST_TEST(rows.size() >= 20u);
    for (const auto& [name, row] : rows.items()) {
        BOOST_TEST_CONTEXT(name) { expect_pixels(decode_picture_file(golden_data() / "png" / name), row); }
    }
}

BOOST_AUTO_TEST_CASE(kinds_are_told_by_content) {
    const TempDir folder;
    const auto copy = [&](const char* from, const char* to) {
        std::filesystem::copy_file(golden_data() / from, folder / to);
        return folder / to;
    };
    const Path png = copy("png/colour.png", "photo.jpg"), jpeg = copy("jpeg/grey.jpg", "photo.png");
    BOOST_TEST((picture_kind_of_file(png) == PictureKind::png));
    BOOST_TEST((picture_kind_of_file(jpeg) == PictureKind::jpeg));
    BOOST_TEST(decode_picture_file(png).width == 31);
    BOOST_TEST(decode_picture_file(jpeg).width == 29);
    for (const char* text : {"", "x", "\x89PNG", "BM and more text than a header", "RIFF1234WAVEfmt "}) {
        write_bytes(folder / "other.png", text);
        BOOST_TEST((picture_kind_of_file(folder / "other.png") == PictureKind::none));
        BOOST_CHECK_EXCEPTION(decode_picture_file(folder / "other.png"), Error, [&](const Error& error) {
            return error.code() == ExitCode::bad_data &&
                   std::string(error.what()).find((folder / "other.png").string()) == 0;
        });
    }
    const auto is_absent = [](const Error& error) { return error.code() == ExitCode::missing_input; };
    BOOST_CHECK_EXCEPTION(decode_picture_file(folder / "absent.png"), Error, is_absent);
    BOOST_CHECK_EXCEPTION(picture_kind_of_file(folder / "absent.png"), Error, is_absent);
    BOOST_CHECK_EXCEPTION(picture_kind_of_file(folder / "."), Error,
                          [](const Error& error) { return error.code() == ExitCode::io; });
}

BOOST_AUTO_TEST_CASE(names_of_pictures) {
    for (const char* name : {"a.jpg", "b/IMG_1.JPG", "c.jpeg", "d.webp", "e.GIF", "f.bmp", "g.tif", "h.HEIC"})
        BOOST_TEST(has_picture_name(name));
    for (const char* name : {"notes.txt", "jpg", "a.jpg.part", ".jpg", "b.mp4", "c.json"})
        BOOST_TEST(!has_picture_name(name));
}

// Up to the end of the last pixel data; what follows (texts, the end mark) holds no pixels.
BOOST_AUTO_TEST_CASE(cut_off_files_are_errors) {
    for (const char* name : {"colour.png", "palette.png", "alpha_16_interlaced.png", "grey_16.png"}) {
        const ByteVector whole = png_bytes(name);
        constexpr std::size_t end_mark = 12;
        for (std::size_t length = 0; length < whole.size() - end_mark; length += 1 + whole.size() / 60)
            expect_damaged(decode, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    }
}

// Of the others but for their last bytes, which may be padding or hold no pixels.
BOOST_AUTO_TEST_CASE(cut_off_files_of_other_forms_are_errors) {
    for (const char* name :
         {"lossy_5.webp", "lossless_alpha_5.webp", "animated.webp", "P_5.gif", "interlaced_5.gif", "RGB_5.bmp",
          "P_5.bmp", "runs_8.bmp", "RGB_5.tiff", "tiff_lzw_RGB.tiff", "little_tiles.tiff", "jpeg_YCbCr.tiff"}) {
        BOOST_TEST_CONTEXT(name) {
            const ByteVector whole = picture_bytes(name);
            for (std::size_t length = 0; length + 8 < whole.size(); length += 1 + whole.size() / 60)
                expect_damaged(decode, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
        }
    }
}

// A changed byte of the pixels or of what they mean is noticed wherever it is.
BOOST_AUTO_TEST_CASE(changed_bytes_are_errors) {
    for (const char* name : {"colour.png", "grey_1_interlaced.png"}) {
        const ByteVector whole = png_bytes(name);
        constexpr std::size_t signature = 8, end_mark = 12;
        for (std::size_t at = signature; at < whole.size() - end_mark; ++at) {
            ByteVector bytes = whole;
            bytes[at] ^= 1;
            expect_damaged(decode, bytes);
        }
    }
}

BOOST_AUTO_TEST_CASE(random_damage_never_crashes) {
    RandomStream stream(random_key(2, RandomPurpose::sampling));
    std::map<PictureKind, int> decoded, refused;
    const std::vector<ByteVector> files = [] {
        std::vector<ByteVector> found;
        for (const char* name :
             {"RGB_4.png", "P_4.png", "RGBA_5.png", "I_16_4.png", "lossy_5.webp", "lossless_alpha_4.webp", "P_5.gif",
              "frame_inside_clear.gif", "RGB_4.bmp", "P_4.bmp", "runs_8_jump.bmp", "RGB_4.tiff", "tiff_lzw_P.tiff",
              "little_tiles.tiff", "big_end_planes.tiff", "jpeg_YCbCr.tiff"})
            found.push_back(picture_bytes(name));
        return found;
    }();
    for (int round = 0; round < 4000; ++round) {
        ByteVector bytes = files[stream.below(files.size())];
        const PictureKind kind = picture_kind(bytes);
        for (std::uint64_t n = 1 + stream.below(4); n > 0; --n)
            bytes[stream.below(bytes.size())] = static_cast<std::uint8_t>(stream.below(256));
        try {
            const ImageSize size = picture_size(bytes, "x");
            if (static_cast<std::int64_t>(size.height) * size.width > 4'000'000) continue;    // slow, not wrong
            const Image image = decode_picture(bytes, "x");
            BOOST_REQUIRE_EQUAL(image.pixels_HWC.size(), static_cast<std::size_t>(image.height) * image.width * 3);
            BOOST_REQUIRE_EQUAL(image.height, size.height);
            BOOST_REQUIRE_EQUAL(image.width, size.width);
            ++decoded[kind];
        } catch (const Error& error) {
            BOOST_REQUIRE(error.code() == ExitCode::bad_data);
            ++refused[kind];
        }
    }
    BOOST_TEST(decoded.size() == 5u);
    BOOST_TEST(refused.size() == 5u);
}

// A header that claims an absurd size, with its check sum right, is refused before memory is asked for.
BOOST_AUTO_TEST_CASE(absurd_sizes_are_refused) {
    ByteVector bytes = png_bytes("colour.png");
    const std::uint8_t header[] = {0x00, 0x0F, 0x00, 0x00, 0x00, 0x0F, 0x00, 0x00, 0x08, 0x02, 0x00, 0x00, 0x00};
    std::copy(std::begin(header), std::end(header), bytes.begin() + 16);
    std::uint32_t check = 0xFFFFFFFF;
    for (std::size_t i = 12; i < 29; ++i) {
        check ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) check = check >> 1 ^ (check & 1 ? 0xEDB88320 : 0);
    }
    for (int i = 0; i < 4; ++i)
        bytes[static_cast<std::size_t>(29 + i)] = static_cast<std::uint8_t>(~check >> 8 * (3 - i));
    BOOST_CHECK_EXCEPTION(decode_picture(bytes, "x"), Error, [](const Error& error) {
        return std::string(error.what()).find("983040 x 983040 pixels are beyond belief") != std::string::npos;
    });
}

// Sizes that need more memory than the file's bytes can fill are refused in every form.
BOOST_AUTO_TEST_CASE(absurd_sizes_of_other_forms_are_refused) {
    using Places = std::vector<std::pair<std::size_t, std::vector<std::uint8_t>>>;
    const auto refused = [](const char* name, const Places& places) {
        ByteVector bytes = picture_bytes(name);
        for (const auto& [at, size] : places)
            std::copy(size.begin(), size.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
        BOOST_TEST_CONTEXT(name) {
            BOOST_CHECK_EXCEPTION(decode_picture(bytes, "x"), Error, [](const Error& error) {
                return std::string(error.what()).find("pixels are beyond belief") != std::string::npos;
            });
        }
    };
    refused("animated.webp", {{24, {0xFF, 0xFF, 0, 0xFF, 0x7F, 0}}});
    refused("P_4.gif", {{6, {0xFF, 0xFF, 0xFF, 0xFF}}});
    refused("RGB_4.bmp", {{18, {0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0}}});
    const ByteVector tiff = picture_bytes("RGB_4.tiff");
    const std::size_t tags = tiff[4] + 256U * tiff[5] + 2;    // of 12 bytes, width and height first
    refused("RGB_4.tiff", {{tags + 8, {0xFF, 0xFF}}, {tags + 20, {0xFF, 0xFF}}});
}

// The right values are those of Pillow, for pictures that users sent to other programs.
BOOST_AUTO_TEST_CASE(reported_pictures_equal_pillow, *boost::unit_test::precondition(has_cases)) {
    const auto pixels = [](const Path& file) { return decode_picture_file(cases() / file).pixels_HWC; };
    const auto same = [&](const Path& folder, const char* name, const char* as) {
        BOOST_TEST_CONTEXT(folder / name) { BOOST_TEST(sha256(pixels(folder / name)) == sha256(pixels(folder / as))); }
    };
    for (const char* name : {"se_zero.jpg", "ss_one.jpg", "al_one.jpg"})
        same("01-jpeg-sos-parameters", name, "plain.jpg");
    for (const char* name :
         {"no_eoi_samsung_trailer.jpg", "no_eoi_zeros.jpg", "eoi_then_samsung_trailer.jpg", "eoi_then_zeros.jpg"})
        same("03-jpeg-no-eoi-trailer", name, "plain.jpg");
    for (const char* form : {"png", "bmp", "tiff"})
        same("08-webp-gif-bmp/pictures", ("a." + std::string(form)).c_str(), "a.png");
    const std::pair<const char*, const char*> by_pillow[] = {
        {"02-jpeg-subsampling/all_2x1.jpg", "b432b313ec1c40d974e89e737b659788a2597a415d00313df662474fd9d1aabf"},
        {"02-jpeg-subsampling/h410.jpg", "3746284521e363be55546ddc6ecb30f882ff345f9b42c2fa8981ab2aef5f5e6d"},
        {"02-jpeg-subsampling/h441.jpg", "b4cdc1a7174fbb299e969bd568e08e0a34d7f2ddd3c51b39a296f015eb480233"},
        {"02-jpeg-subsampling/usual_420.jpg", "213e833a725760cdd59c2cb383a409f077a795e01d3c7c4a5f7d9821c2b9230b"},
        {"01-jpeg-sos-parameters/plain.jpg", "2d49fd12ac7634ea6f8dedc4601bbd33ab6f3d6ebcde48b736f5f241426e8dac"},
        {"03-jpeg-no-eoi-trailer/plain.jpg", "2d49fd12ac7634ea6f8dedc4601bbd33ab6f3d6ebcde48b736f5f241426e8dac"},
        {"08-webp-gif-bmp/pictures/a.png", "41cfef0ab51e2d4a23be3101c3391e585c1234dbfb2926b3eb9c6de596628f79"},
        {"08-webp-gif-bmp/pictures/a.gif", "6db8c291ca439fceaf51eae2c6244860d212fac1f6c316c1e24f247de9ef740a"},
        {"08-webp-gif-bmp/pictures/a.jpg", "47eacb8d1f3010a9a0e38742169773f3494ccb52374a09b73776af6bb3c96443"},
        {"08-webp-gif-bmp/pictures/a.webp", "85720ab3c3ef4a0ceeba90d0ad2843a33aa477e3f0b02fcd542ad4401791d672"},
        {"08-webp-gif-bmp/pictures/gif_called.jpg", "6db8c291ca439fceaf51eae2c6244860d212fac1f6c316c1e24f247de9ef740a"},
        {"08-webp-gif-bmp/pictures/png_called.jpg", "41cfef0ab51e2d4a23be3101c3391e585c1234dbfb2926b3eb9c6de596628f79"},
        {"08-webp-gif-bmp/pictures/webp_called.jpg",
         "85720ab3c3ef4a0ceeba90d0ad2843a33aa477e3f0b02fcd542ad4401791d672"},
    };
    for (const auto& [name, digest] : by_pillow) BOOST_TEST_CONTEXT(name) {
            BOOST_TEST(sha256(pixels(name)) == digest);
        }
    for (const char* name :
         {"cut_half.jpg", "progressive_cut.jpg", "flipped.jpg", "web_page.jpg", "zeros.jpg", "empty.jpg"})
        expect_damaged(decode, bytes_of(cases() / "05-jpeg-corrupt-data" / name));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

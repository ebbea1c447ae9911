// PNG decoding against Pillow's digests, pictures told apart by content, and damaged files: errors, never crashes.
#include "blip/image/png.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/image/picture.h"
#include "tests/golden/sha256.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

Path golden_data() { return repository_root() / "tests/golden/data"; }

std::vector<std::uint8_t> png_bytes(const std::string& name) {
    const std::string content = read_bytes(golden_data() / "png" / name);
    return {content.begin(), content.end()};
}

void expect_damaged(const std::vector<std::uint8_t>& bytes) {
    BOOST_CHECK_EXCEPTION(decode_png(bytes, "photo.png"), Error, [](const Error& error) {
        return error.code() == ExitCode::bad_data && std::string(error.what()).find("photo.png: ") == 0;
    });
}

}    // namespace

BOOST_AUTO_TEST_SUITE(png)

// Grey, palette, colour and alpha at 1 to 16 bits, plain and interlaced, with transparent colours, gamma and a palette
// that is too short; made by tests/reference/make_pillow_data.py.
BOOST_AUTO_TEST_CASE(pixels_equal_pillow) {
    const nlohmann::json rows = read_json(golden_data() / "pillow.json").at("pngs");
    BOOST_TEST(rows.size() >= 20u);
    for (const auto& [name, row] : rows.items()) {
        BOOST_TEST_CONTEXT(name) {
            const Image image = decode_picture_file(golden_data() / "png" / name);
            BOOST_TEST(image.height == row.at("height").get<int>());
            BOOST_TEST(image.width == row.at("width").get<int>());
            BOOST_TEST(sha256(image.pixels_HWC) == row.at("sha256").get<std::string>());
        }
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
    for (const char* text : {"", "x", "\x89PNG", "GIF89a, not read here"}) {
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

// Up to the end of the last pixel data; what follows (texts, the end mark) holds no pixels.
BOOST_AUTO_TEST_CASE(cut_off_files_are_errors) {
    for (const char* name : {"colour.png", "palette.png", "alpha_16_interlaced.png", "grey_16.png"}) {
        const std::vector<std::uint8_t> whole = png_bytes(name);
        constexpr std::size_t end_mark = 12;
        for (std::size_t length = 0; length < whole.size() - end_mark; length += 1 + whole.size() / 60)
            expect_damaged({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    }
}

// A changed byte of the pixels or of what they mean is noticed wherever it is.
BOOST_AUTO_TEST_CASE(changed_bytes_are_errors) {
    for (const char* name : {"colour.png", "grey_1_interlaced.png"}) {
        const std::vector<std::uint8_t> whole = png_bytes(name);
        constexpr std::size_t signature = 8, end_mark = 12;
        for (std::size_t at = signature; at < whole.size() - end_mark; ++at) {
            std::vector<std::uint8_t> bytes = whole;
            bytes[at] ^= 1;
            expect_damaged(bytes);
        }
    }
}

BOOST_AUTO_TEST_CASE(random_damage_never_crashes) {
    RandomStream stream(random_key(2, RandomPurpose::sampling));
    static constexpr const char* names[] = {"colour.png", "palette_16.png", "alpha_16_interlaced.png", "grey_16.png",
                                            "palette_2_short.png"};
    int decoded = 0, refused = 0;
    for (int round = 0; round < 1500; ++round) {
        std::vector<std::uint8_t> bytes = png_bytes(names[stream.below(5)]);
        for (std::uint64_t n = 1 + stream.below(4); n > 0; --n) {
            bytes[stream.below(bytes.size())] = static_cast<std::uint8_t>(stream.below(256));
        }
        try {
            const Image image = decode_png(bytes, "x");
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

// A header that claims an absurd size, with its check sum right, is refused before memory is asked for.
BOOST_AUTO_TEST_CASE(absurd_sizes_are_refused) {
    std::vector<std::uint8_t> bytes = png_bytes("colour.png");
    const std::uint8_t header[] = {0x00, 0x0F, 0x00, 0x00, 0x00, 0x0F, 0x00, 0x00, 0x08, 0x02, 0x00, 0x00, 0x00};
    std::copy(std::begin(header), std::end(header), bytes.begin() + 16);
    std::uint32_t check = 0xFFFFFFFF;
    for (std::size_t i = 12; i < 29; ++i) {
        check ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) check = check >> 1 ^ (check & 1 ? 0xEDB88320 : 0);
    }
    for (int i = 0; i < 4; ++i)
        bytes[static_cast<std::size_t>(29 + i)] = static_cast<std::uint8_t>(~check >> 8 * (3 - i));
    BOOST_CHECK_EXCEPTION(decode_png(bytes, "x"), Error, [](const Error& error) {
        return std::string(error.what()).find("983040 x 983040 pixels are beyond belief") != std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// Keys and file names in a packed file: numbers and texts of any kind come out as they went in, and damage to them is
// named.
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "blip/base/error.h"
#include "blip/data/packed/format.h"
#include "hdf5_library.h"
#include "small_packed_file.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

ImageKey huge() {
    ImageKey key("9223372036854775813");    // above int64
    key.is_number = true;
    return key;
}

// key, file
const std::vector<std::pair<ImageKey, std::string>> pictures = {{391895, "val2014/COCO_val2014_000000391895.jpg"},
                                                                {ImageKey("stairs"), "walk/a b.jpg"},
                                                                {ImageKey("001"), "001.jpg"},
                                                                {ImageKey("1"), "1.jpg"},
                                                                {-7, ""},
                                                                {ImageKey("0b2c-99aa"), "\xE7\x8C\xAB.jpg"},
                                                                {huge(), "x.jpg"},
                                                                {ImageKey("9223372036854775814"), "y.jpg"}};

std::string write_file(const Path& path) {
    SplitTables split;
    split.name = "train";
    for (const auto& [key, file] : pictures) {
        const std::int64_t row = split.image_count();
        const Image image = noise_image(0, row);
        add_image(split, key, image.height, image.width, file);
        add_caption(split, row, {SpecialTokens::dec, 1000, SpecialTokens::sep}, "a caption");
    }
    PackedWriter writer(path, small_description, {split});
    for (std::int64_t row = 0; row < split.image_count(); ++row) writer.write_image(0, row, noise_image(0, row));
    return writer.commit();
}

}    // namespace

BOOST_AUTO_TEST_SUITE(packed_keys)

BOOST_AUTO_TEST_CASE(keys_and_files_come_out_as_they_went_in) {
    const TempDir dir;
    write_file(dir / "keys.h5");
    const PackedDataset data = PackedDataset::open(dir / "keys.h5");
    const SplitTables& split = data.split("train");
    BOOST_REQUIRE(split.image_count() == static_cast<std::int64_t>(pictures.size()));
    for (std::size_t i = 0; i < pictures.size(); ++i) {
        BOOST_TEST((split.keys_I[i] == pictures[i].first), pictures[i].first.text);
        BOOST_TEST(split.files_I[i] == pictures[i].second);
        (void)data.read_image(split, static_cast<std::int64_t>(i));
    }
    BOOST_TEST(describe_image(split, 1) == "image stairs (train, row 1), walk/a b.jpg");
    BOOST_TEST(name_image(split, 1) == "stairs (walk/a b.jpg)");
    BOOST_TEST(name_image(split, 4) == "-7");
}

// XXH3-64 of the documented bytes, computed with Python's xxhash package.
BOOST_AUTO_TEST_CASE(digests_of_keys_are_the_documented_ones) {
    Image image;
    image.height = 2;
    image.width = 3;
    for (std::uint8_t value = 0; value < 18; ++value) image.pixels_HWC.push_back(value);
    BOOST_TEST(image_digest(ImageKey("stairs"), image) == 0x4b1012eabb4be57fULL);
    BOOST_TEST(image_digest(ImageKey("\xE7\x8C\xAB"), image) == 0xa5bb94dae1a32554ULL);
    BOOST_TEST(image_digest(huge(), image) == 0x6c1e5ae5406569baULL);
    BOOST_TEST(image_digest(ImageKey(huge().text), image) == 0x64645fac40dcde10ULL);
    SplitTables split;
    split.keys_I = {391895, ImageKey("stairs"), huge()};
    split.files_I = {"a/b.jpg", "c d.jpg", ""};
    BOOST_TEST(packed_names_digest(split) == "00f120a179742499");
}

BOOST_AUTO_TEST_CASE(changed_names_are_refused) {
    const TempDir dir;
    const Path path = dir / "keys.h5";
    write_file(path);
    const std::string whole = read_bytes(path);
    for (const char* table : {"key_texts", "key_offsets", "files", "file_offsets"})
        for (const std::uint64_t byte : {0, 9}) {
            std::string changed = whole;
            changed[place_of(path, std::string("train/") + table) + byte] ^= 1;
            write_bytes(dir / "changed.h5", changed);
            BOOST_CHECK_EXCEPTION(PackedDataset::open(dir / "changed.h5"), Error, [](const Error& error) {
                const std::string said = error.what();
                return error.code() == ExitCode::bad_data && said.find("changed.h5") != std::string::npos &&
                       said.find("train") != std::string::npos;
            });
        }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

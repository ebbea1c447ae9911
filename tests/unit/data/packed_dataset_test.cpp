// The packed file: what goes in comes out, the same input gives the same bytes, and a byte flipped anywhere is named.
#include "blip/data/packed/dataset.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include <cstdlib>

#include "blip/base/error.h"
#include "blip/data/packed/format.h"
#include "damage.h"
#include "hdf5_library.h"
#include "small_packed_file.h"
#include "tests/support/paths.h"

using namespace blip;
using namespace blip::test;

BOOST_AUTO_TEST_SUITE(packed_dataset)

BOOST_AUTO_TEST_CASE(round_trip) {
    const TempDir dir;
    const Path path = dir / "small.h5";
    const std::string digest = write_small_file(path);
    const PackedDataset data = PackedDataset::open(path);
    BOOST_TEST(data.data_digest() == digest);
    BOOST_TEST(digest.size() == 16U);
    BOOST_TEST(data.prompt() == small_description.prompt);
    BOOST_TEST(data.prompt_length() == 4);
    BOOST_TEST(data.vocabulary_text() == small_description.vocabulary_text);
    BOOST_TEST(data.source() == "a test");
    BOOST_TEST(data.has_split("val"));
    BOOST_TEST(!data.has_split("test"));
    BOOST_CHECK_EXCEPTION((void)data.split("test"), Error, [](const Error& error) {
        return error.code() == ExitCode::bad_data && contains(error.what(), "'test'") &&
               contains(error.what(), "train, val");
    });
    for (std::size_t s = 0; s < 2; ++s) {
        const SplitTables expected = s == 0 ? small_split("train", 0, 12, 5) : small_split("val", 1, 4, 2);
        const SplitTables& split = data.split(expected.name);
        BOOST_TEST((split.keys_I == expected.keys_I));
        BOOST_TEST(split.tokens_C40 == expected.tokens_C40, boost::test_tools::per_element());
        BOOST_TEST(split.lengths_C == expected.lengths_C, boost::test_tools::per_element());
        BOOST_TEST(split.image_index_C == expected.image_index_C, boost::test_tools::per_element());
        BOOST_TEST(split.texts == expected.texts);
        BOOST_TEST(split.text(3) == expected.text(3));
        BOOST_TEST(split.notes.size() == 1U);
        BOOST_TEST(split.notes[0].first == "empty_captions");
        BOOST_TEST(split.notes[0].second == 2);
        for (std::int64_t row = 0; row < split.image_count(); ++row) {
            const Image image = data.read_image(split, row), original = noise_image(s, row);
            BOOST_TEST(image.height == original.height);
            BOOST_TEST(image.width == original.width);
            BOOST_TEST(image.pixels_HWC == original.pixels_HWC, boost::test_tools::per_element());
        }
    }
    BOOST_TEST(check_says(path) == "");
}

// Whole by its digests, but not made by coco_pack.
BOOST_AUTO_TEST_CASE(a_token_outside_of_the_vocabulary_is_refused) {
    const TempDir dir;
    const Path path = dir / "small.h5";
    for (const TokenId token : {30523, 30524, 65535}) {
        SplitTables split = small_split("train", 0, 1, 1);
        add_caption(split, 0, {SpecialTokens::dec, token, SpecialTokens::sep}, "crafted");
        PackedWriter writer(path, small_description, {split});
        writer.write_image(0, 0, noise_image(0, 0));
        writer.commit();
        const std::string said = first_damage(path);
        BOOST_TEST(contains(said, fmt::format("token {} of caption row 1", token)) == (token > 30523), said);
    }
}

BOOST_AUTO_TEST_CASE(same_input_same_bytes) {
    const TempDir dir;
    write_small_file(dir / "a.h5");
    write_small_file(dir / "b.h5");
    BOOST_TEST((read_bytes(dir / "a.h5") == read_bytes(dir / "b.h5")));
}

// XXH3-64 of the documented bytes, computed with Python's xxhash package.
BOOST_AUTO_TEST_CASE(digests_are_the_documented_ones) {
    Image image;
    image.height = 2;
    image.width = 3;
    for (std::uint8_t value = 0; value < 18; ++value) image.pixels_HWC.push_back(value);
    BOOST_TEST(image_digest(391895, image) == 0x6950c2409da0575bULL);
    SplitTables split;
    split.name = "train";
    add_image(split, 391895, 2, 3);
    add_caption(split, 0, {30522, 1037, 3861, 1997, 1037, 4937, 102}, "A cat.");
    BOOST_TEST(split.caption_digests_C[0] == 0xb2252a72d5431d6ULL);
    split.image_digests_I[0] = image_digest(391895, image);
    BOOST_TEST(packed_data_digest({split}, "a picture of ", 4, "words\n") == "d7ac2f7f3586c0ef");
}

// A byte of each table is flipped in turn: opening or reading names the element, and so does --check.
BOOST_AUTO_TEST_CASE(flipped_bytes_are_named) {
    struct Flip {
        const char* table;
        std::uint64_t element_bytes;
        std::int64_t element;    // row of the flipped byte
        std::uint64_t byte;      // within the element
        const char* named;
        const char* check_names;    // nullptr: the same
    };
    const SplitTables train = small_split("train", 0, 12, 5);
    const auto text_bytes = static_cast<std::int64_t>(train.text_offsets_C1[23] + 4);
    const auto pixel_byte = static_cast<std::int64_t>(train.offsets_I[7] + 100);
    const Flip flips[] = {
        {"pixels", 1, pixel_byte, 0, "image 1007 (train, row 7)", nullptr},
        {"pixels", 1, 0, 0, "image 1000 (train, row 0)", nullptr},
        {"pixels", 1, static_cast<std::int64_t>(train.pixel_bytes) - 1, 0, "image 1011 (train, row 11)", nullptr},
        {"tokens", 80, 31, 4, "caption row 31 (train, image 1006)", nullptr},
        {"tokens", 80, 31, 79, "caption row 31 (train, image 1006)", nullptr},    // in the padding
        {"lengths", 4, 59, 0, "caption row 59 (train, image 1011)", nullptr},
        {"lengths", 4, 59, 3, "caption row 59 (train, image 1011)", nullptr},    // far out of range
        {"image_index", 4, 14, 0, "caption row 14 (train", nullptr},             // 2 -> 3: its image is another then
        {"image_index", 4, 19, 0, "caption row 19 (train", nullptr},             // 3 -> 2
        {"image_index", 4, 12, 0, "caption row 12 (train", nullptr},             // 2 -> 3, later ones are lower
        {"image_index", 4, 22, 2, "caption row 22 (train", nullptr},
        {"texts", 1, text_bytes, 0, "caption row 23 (train, image 1004)", nullptr},
        {"text_offsets", 8, 30, 0, "caption row 29 (train, image 1005)", nullptr},
        {"text_offsets", 8, 30, 6, "caption row 29 (train, image 1005)", nullptr},
        {"text_offsets", 8, 0, 0, "caption row 0 (train, image 1000)", nullptr},
        {"text_offsets", 8, 60, 0, "caption row 59 (train, image 1011)|texts of train", nullptr},
        {"heights", 4, 5, 0, "image 1005 (train, row 5)", nullptr},
        {"widths", 4, 11, 3, "image 1011 (train, row 11)", nullptr},
        {"offsets", 8, 5, 1, "image 1005 (train, row 5)", nullptr},
        {"offsets", 8, 0, 0, "image 1000 (train, row 0)", nullptr},
        {"image_ids", 8, 3, 0, "image 1002 (train, row 3)", nullptr},    // the id as it reads now
        {"image_digests", 8, 9, 5, "data digest", "image 1009 (train, row 9)"},
        {"caption_digests", 8, 44, 5, "data digest", "caption row 44 (train, image 1008)"},
    };
    const TempDir dir;
    const Path original = dir / "small.h5", path = dir / "flipped.h5";
    write_small_file(original);
    for (const auto& flip : flips) {
        BOOST_TEST_CONTEXT(flip.table << " element " << flip.element << " byte " << flip.byte) {
            std::filesystem::copy_file(original, path, std::filesystem::copy_options::overwrite_existing);
            flip_byte(path, place_of(path, std::string("train/") + flip.table) +
                                static_cast<std::uint64_t>(flip.element) * flip.element_bytes + flip.byte);
            const auto named = [](const std::string& message, std::string wanted) {
                for (std::size_t bar; (bar = wanted.find('|')) != std::string::npos; wanted.erase(0, bar + 1))
                    if (contains(message, wanted.substr(0, bar))) return true;
                return contains(message, wanted);
            };
            const std::string opened = first_damage(path), checked = check_says(path);
            BOOST_TEST(named(opened, flip.named), opened);
            BOOST_TEST(named(checked, flip.check_names ? flip.check_names : flip.named), checked);
            BOOST_TEST(contains(opened, "flipped.h5"));
        }
    }
}

BOOST_AUTO_TEST_CASE(truncated_files_are_refused) {
    const TempDir dir;
    const Path path = dir / "small.h5";
    write_small_file(path);
    const std::uint64_t size = std::filesystem::file_size(path);
    for (const std::uint64_t left : {size - 1, size / 2, std::uint64_t{100}, std::uint64_t{0}}) {
        std::filesystem::resize_file(path, left);
        BOOST_TEST(contains(first_damage(path), "whole HDF5 file"));
    }
}

BOOST_AUTO_TEST_CASE(other_files_are_refused) {
    const TempDir dir;
    BOOST_CHECK_EXCEPTION(PackedDataset::open(dir / "absent.h5"), Error, [](const Error& error) {
        return error.code() == ExitCode::missing_input && contains(error.what(), "absent.h5");
    });
    write_bytes(dir / "text.h5", "not an HDF5 file, but a longer text");
    BOOST_TEST(contains(first_damage(dir / "text.h5"), "whole HDF5 file"));
    BOOST_TEST(contains(first_damage(dir.path()), "not a file"));
    {
        const H5File file(H5Fcreate((dir / "other.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
        write_attribute(file.get(), "format", "something else", "test");
    }
    BOOST_TEST(contains(first_damage(dir / "other.h5"), "not one that blip_mpi pack made"));
    {
        const H5File file(H5Fcreate((dir / "newer.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, packed_structures().get()));
        write_attribute(file.get(), "format", std::string(packed_format_name), "test");
        write_attribute(file.get(), "format_version", 4, "test");
    }
    BOOST_TEST(contains(first_damage(dir / "newer.h5"), "format version 4"));
}

BOOST_AUTO_TEST_CASE(nothing_stays_of_an_unfinished_file) {
    const TempDir dir;
    {
        PackedWriter writer(dir / "small.h5", small_description, {small_split("train", 0, 3, 1)});
        writer.write_image(0, 0, noise_image(0, 0));
        BOOST_TEST(!std::filesystem::is_empty(dir.path()));
        BOOST_CHECK_THROW(writer.commit(), Error);
    }
    BOOST_TEST(std::filesystem::is_empty(dir.path()));
}

BOOST_AUTO_TEST_SUITE_END()

// Files that store JPEGs: the same training data as files of pixels, batch by batch, and damage is named all the same.
#include <xxhash.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/data/batch_loader.h"
#include "blip/data/packed/format.h"
#include "blip/data/shard_sampler.h"
#include "blip/data/training_units.h"
#include "blip/image/jpeg.h"
#include "damage.h"
#include "hdf5_library.h"
#include "small_jpeg_file.h"
#include "small_packed_file.h"
#include "tests/support/paths.h"

using namespace blip;
using namespace blip::test;

namespace {

// The first 20 training micro-batches of seed 9 as the trainer asks for them: a digest of each, over everything in it.
std::vector<std::uint64_t> batch_digests(const Path& path, int threads) {
    const PackedDataset data = PackedDataset::open(path);
    const SplitTables& split = data.split("train");
    const ShardSampler sampler(split.caption_count(), 6, 3, 9, 0, 1);
    const TrainingUnits units(split, 1, 9);
    std::vector<MicroBatch> queue;
    for (std::int64_t step = 0; queue.size() < 20; ++step)
        for (auto& micro : sampler.micro_batches(step / sampler.steps_per_epoch(), step % sampler.steps_per_epoch()))
            queue.push_back(std::move(micro));
    std::size_t at = 0;
    BatchLoader loader(data, split, DataOptions{}, AugmentOptions{}, 24, threads, [&]() -> std::optional<BatchRequest> {
        if (at == 20) return std::nullopt;
        return units.request(queue[at++], 0);
    });
    std::vector<std::uint64_t> digests;
    while (const auto batch = loader.next()) {
        std::vector<std::int64_t> numbers = {batch->request.tag, batch->token_count};
        for (const auto* list :
             {&batch->request.captions, &batch->request.images, &batch->tokens_CT, &batch->lengths_C})
            numbers.insert(numbers.end(), list->begin(), list->end());
        const auto pixels = XXH3_64bits(batch->images_I3SS.data(), batch->images_I3SS.size());
        digests.push_back(XXH3_64bits_withSeed(numbers.data(), numbers.size() * sizeof numbers[0], pixels));
    }
    return digests;
}

void replace_text(const H5File& file, const char* name, const std::string& value) {
    h5_check(H5Adelete(file.get(), name), "delete");
    write_attribute(file.get(), name, value, "test");
}

}    // namespace

BOOST_AUTO_TEST_SUITE(packed_jpeg)

BOOST_AUTO_TEST_CASE(both_encodings_are_the_same_data) {
    const TempDir dir;
    const std::string raw_digest = write_jpeg_file(dir / "raw.h5", PackedEncoding::raw);
    const std::string jpeg_digest_text = write_jpeg_file(dir / "jpeg.h5", PackedEncoding::jpeg);
    BOOST_TEST(raw_digest == jpeg_digest_text);
    const PackedDataset raw = PackedDataset::open(dir / "raw.h5"), jpeg = PackedDataset::open(dir / "jpeg.h5");
    BOOST_TEST((raw.encoding() == PackedEncoding::raw));
    BOOST_TEST((jpeg.encoding() == PackedEncoding::jpeg));
    BOOST_TEST(raw.data_digest() == jpeg.data_digest());
    std::uint64_t bytes = 0;
    for (const auto& file : jpegs()) bytes += file.size();
    for (const char* name : {"train", "val"}) {
        const SplitTables &of_raw = raw.split(name), &of_jpeg = jpeg.split(name);
        BOOST_TEST(of_jpeg.stored_bytes == bytes);
        BOOST_TEST(of_raw.stored_bytes == of_raw.pixel_bytes);
        BOOST_TEST(of_jpeg.pixel_bytes == of_raw.pixel_bytes);
        for (std::size_t row = 0; row < jpegs().size(); ++row) {
            const Image expected = decode_jpeg(jpegs()[row], "test");
            for (const auto* data : {&raw, &jpeg}) {
                const Image image = data->read_image(data->split(name), static_cast<std::int64_t>(row));
                BOOST_TEST(image.height == expected.height);
                BOOST_TEST(image.width == expected.width);
                BOOST_TEST((image.pixels_HWC == expected.pixels_HWC));
            }
        }
    }
    BOOST_TEST(check_says(dir / "raw.h5") == "");
    BOOST_TEST(check_says(dir / "jpeg.h5") == "");
}

BOOST_AUTO_TEST_CASE(first_twenty_training_batches_are_equal) {
    const TempDir dir;
    write_jpeg_file(dir / "raw.h5", PackedEncoding::raw);
    write_jpeg_file(dir / "jpeg.h5", PackedEncoding::jpeg);
    const auto expected = batch_digests(dir / "raw.h5", 1);
    BOOST_REQUIRE(expected.size() == 20U);
    BOOST_TEST(std::set<std::uint64_t>(expected.begin(), expected.end()).size() == 20U);    // each batch is another
    for (const int threads : {1, 3})
        for (const char* name : {"raw.h5", "jpeg.h5"})
            BOOST_TEST(batch_digests(dir / name, threads) == expected, boost::test_tools::per_element());
}

// Computed with Python's xxhash package over the documented bytes.
BOOST_AUTO_TEST_CASE(jpeg_digest_is_the_documented_one) {
    const Bytes bytes = {0xff, 0xd8, 0, 1, 2, 250};
    BOOST_TEST(jpeg_digest(391895, 2, 3, bytes) == 0xbb02c3ebb023d7d3ULL);
}

BOOST_AUTO_TEST_CASE(flipped_bytes_are_named) {
    struct Flip {
        const char* table;
        std::uint64_t element_bytes, element, byte;
        const char *named, *check_names;
    };
    const SplitTables train = jpeg_split("train", PackedEncoding::jpeg);
    const Flip flips[] = {
        {"jpegs", 1, train.offsets_I[3] + 200, 0, "image 103 (train, row 3)", nullptr},
        {"jpegs", 1, 0, 0, "image 100 (train, row 0)", nullptr},
        {"jpegs", 1, train.stored_bytes - 1, 0, "image 110 (train, row 10)", nullptr},
        {"jpeg_lengths", 8, 5, 0, "image 105 (train, row 5)", nullptr},
        {"jpeg_lengths", 8, 10, 6, "image 110 (train, row 10)", nullptr},
        {"jpeg_digests", 8, 6, 2, "image 106 (train, row 6)", nullptr},
        {"image_digests", 8, 7, 2, "data digest", "image 107 (train, row 7)"},
        {"offsets", 8, 2, 0, "image 102 (train, row 2)", nullptr},
        {"heights", 4, 4, 0, "image 104 (train, row 4)", nullptr},
        {"widths", 4, 4, 3, "image 104 (train, row 4)", nullptr},
        {"image_ids", 8, 8, 0, "image 109 (train, row 8)", nullptr},    // the id as it reads now
    };
    const TempDir dir;
    const Path original = dir / "jpeg.h5", path = dir / "flipped.h5";
    write_jpeg_file(original, PackedEncoding::jpeg);
    for (const auto& flip : flips) {
        BOOST_TEST_CONTEXT(flip.table << " element " << flip.element << " byte " << flip.byte) {
            std::filesystem::copy_file(original, path, std::filesystem::copy_options::overwrite_existing);
            const std::uint64_t start = place_of(path, std::string("train/") + flip.table);
            flip_byte(path, start + flip.element * flip.element_bytes + flip.byte);
            const std::string opened = first_damage(path), checked = check_says(path);
            BOOST_TEST(contains(opened, flip.named), opened);
            BOOST_TEST(contains(checked, flip.check_names ? flip.check_names : flip.named), checked);
            BOOST_TEST(contains(opened, "flipped.h5"));
        }
    }
}

// A file whose digests are in order but whose pixels come out otherwise: as from another decoder.
BOOST_AUTO_TEST_CASE(another_decoder_is_noticed) {
    const TempDir dir;
    const Path path = dir / "jpeg.h5";
    write_jpeg_file(path, PackedEncoding::jpeg);
    std::vector<SplitTables> splits = PackedDataset::open(path).splits();
    splits[0].image_digests_I[3] ^= 1;
    {
        const H5File file = open_to_change(path);
        const H5Dataset table(h5_check(H5Dopen2(file.get(), "train/image_digests", H5P_DEFAULT), "digests"));
        write_table(table, splits[0].image_digests_I, "test");
        replace_text(file, "data_digest",
                     packed_data_digest(splits, small_description.prompt, small_description.prompt_length,
                                        small_description.vocabulary_text));
    }
    const std::string said = first_damage(path);
    BOOST_TEST(contains(said, "image 103 (train, row 3) is intact"), said);
    BOOST_TEST(contains(said, "another decoder of pictures"), said);
    BOOST_TEST(contains(check_says(path), "image 103 (train, row 3) is intact"));
}

BOOST_AUTO_TEST_CASE(the_writer_takes_what_was_announced) {
    const TempDir dir;
    const auto says = [](const char* part) {
        return [part](const Error& error) { return contains(error.what(), part); };
    };
    {
        PackedWriter writer(dir / "jpeg.h5", small_description_of(PackedEncoding::jpeg),
                            {jpeg_split("train", PackedEncoding::jpeg)});
        Bytes longer = jpegs()[0];
        longer.push_back(0);
        BOOST_CHECK_EXCEPTION(writer.write_jpeg(0, 0, longer, "a.jpg"), Error, says("changed while it was being"));
        BOOST_CHECK_EXCEPTION(writer.write_jpeg(0, 0, jpegs()[1], "a.jpg"), Error, says("changed while it was being"));
        Bytes damaged = jpegs()[0];
        std::fill(damaged.end() - 90, damaged.end(), std::uint8_t{0});
        BOOST_CHECK_EXCEPTION(writer.write_jpeg(0, 0, damaged, "a.jpg"), Error, says("a.jpg"));
        BOOST_CHECK_THROW(writer.write_image(0, 0, decode_jpeg(jpegs()[0], "test")), Error);
        BOOST_CHECK_THROW(writer.commit(), Error);
    }
    BOOST_CHECK_THROW(PackedWriter(dir / "jpeg.h5", small_description_of(PackedEncoding::jpeg),
                                   {jpeg_split("train", PackedEncoding::raw)}),
                      Error);
    BOOST_TEST(std::filesystem::is_empty(dir.path()));
}

// Before version 3 keys were numbers and names were not kept; files of version 1 say nothing of an encoding: they hold
// pixels.
BOOST_AUTO_TEST_CASE(versions_1_and_2_are_still_read) {
    const TempDir dir;
    const Path path = dir / "old.h5";
    const std::string digest = write_small_file(path);
    {
        const H5File file = open_to_change(path);
        for (const char* split : {"train", "val"}) {
            const H5Group group = open_group(file.get(), split, "test");
            h5_check(H5Adelete(group.get(), "names_digest"), "delete");
        }
        h5_check(H5Adelete(file.get(), "format_version"), "delete");
        write_attribute(file.get(), "format_version", 2, "test");
    }
    BOOST_TEST(PackedDataset::open(path).data_digest() == digest);
    BOOST_TEST((PackedDataset::open(path).split("train").keys_I[3] == ImageKey(1003)));
    BOOST_TEST(first_damage(path) == "");
    {
        const H5File file = open_to_change(path);
        h5_check(H5Adelete(file.get(), "encoding"), "delete");
        h5_check(H5Adelete(file.get(), "format_version"), "delete");
        write_attribute(file.get(), "format_version", 1, "test");
    }
    const PackedDataset data = PackedDataset::open(path);
    BOOST_TEST(data.format_version() == 1);
    BOOST_TEST((data.encoding() == PackedEncoding::raw));
    BOOST_TEST(data.data_digest() == digest);
    BOOST_TEST(first_damage(path) == "");
    {
        const H5File file = open_to_change(path);
        h5_check(H5Adelete(file.get(), "format_version"), "delete");
        write_attribute(file.get(), "format_version", 2, "test");
        write_attribute(file.get(), "encoding", std::string("png"), "test");
    }
    BOOST_TEST(contains(first_damage(path), "encoding 'png'"));
}

BOOST_AUTO_TEST_CASE(skipped_pictures_are_recorded) {
    const TempDir dir;
    SplitTables split = small_split("train", 0, 3, 1);
    split.skipped = {{42, "train2014/a b.jpg", "not a readable JPEG"}, {-7, "x\ty\n.jpg", "no such file"}};
    PackedWriter writer(dir / "small.h5", small_description, {split});
    for (std::int64_t row = 0; row < 3; ++row) writer.write_image(0, row, noise_image(0, row));
    writer.commit();
    const PackedDataset data = PackedDataset::open(dir / "small.h5");
    const auto& skipped = data.split("train").skipped;
    BOOST_REQUIRE(skipped.size() == 2U);
    BOOST_TEST(skipped[0].id.text == "42");
    BOOST_TEST(skipped[0].file == "train2014/a b.jpg");
    BOOST_TEST(skipped[0].reason == "not a readable JPEG");
    BOOST_TEST(skipped[1].id.text == "-7");
    BOOST_TEST(skipped[1].file == "x y .jpg");
    for (const char* wrong : {"1\ta\tb", "1\ta\n", "\n", "1\ta\nb\tc\n"})
        BOOST_CHECK_THROW(skipped_from_text(wrong), std::invalid_argument);
    BOOST_TEST(skipped_from_text("").empty());
}

BOOST_AUTO_TEST_SUITE_END()

// A small packed file of noise images, made in the test; what the tests of this folder share.
#pragma once

#include <string>
#include <vector>

#include "blip/base/random.h"
#include "blip/data/packed/writer.h"

namespace blip::test {

// Noise in one of several sizes, different for each (split, row).
inline Image noise_image(std::uint64_t split, std::int64_t row) {
    RandomStream random(random_key(3, RandomPurpose::sample_drawing, {split, static_cast<std::uint64_t>(row)}));
    Image image;
    image.height = 20 + static_cast<int>(row % 7);
    image.width = 33 - static_cast<int>(row % 5);
    image.pixels_HWC.resize(static_cast<std::size_t>(image.height * image.width * 3));
    for (auto& value : image.pixels_HWC) value = static_cast<std::uint8_t>(random.next_u32());
    return image;
}

inline const PackedDescription small_description{"a picture of ", 4, "[PAD]\nword\n", "a test"};

// Tables of one split: captions_per_image captions each, ids 1000 * (split + 1) + row.
inline SplitTables small_split(const std::string& name, std::uint64_t split, std::int64_t images,
                               int captions_per_image) {
    SplitTables tables;
    tables.name = name;
    tables.notes = {{"empty_captions", 2}};
    for (std::int64_t row = 0; row < images; ++row) {
        const Image image = noise_image(split, row);
        add_image(tables, 1000 * static_cast<std::int64_t>(split + 1) + row, image.height, image.width);
        for (int k = 0; k < captions_per_image; ++k) {
            const int length = 6 + static_cast<int>((row + k) % 9);
            std::vector<TokenId> tokens(static_cast<std::size_t>(length), static_cast<TokenId>(1000 + row * 10 + k));
            tokens.front() = SpecialTokens::dec;
            tokens.back() = SpecialTokens::sep;
            add_caption(tables, row, tokens, "caption " + std::to_string(row) + " / " + std::to_string(k));
        }
    }
    return tables;
}

// train: 12 images with 5 captions, val: 4 with 2. Returns the data digest.
inline std::string write_small_file(const std::filesystem::path& path) {
    PackedWriter writer(path, small_description, {small_split("train", 0, 12, 5), small_split("val", 1, 4, 2)});
    for (std::size_t s = 0; s < 2; ++s)
        for (std::int64_t row = 0; row < writer.splits()[s].image_count(); ++row)
            writer.write_image(s, row, noise_image(s, row));
    return writer.commit();
}

}    // namespace blip::test

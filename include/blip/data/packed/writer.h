// Writes a packed file (packed_dataset.h reads it): all tables first, then each image from any thread,
// then commit. Used by coco_pack and by tests. Until commit the file has a temporary name and is removed on failure.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "blip/data/packed/dataset.h"
#include "blip/image/image.h"
#include "blip/text/wordpiece.h"

namespace blip {

// What belongs to the whole file.
struct PackedDescription {
    std::string prompt;
    int prompt_length = 0;    // tokens of [DEC] + prompt
    std::string vocabulary_text;
    std::string source;    // where it was packed from, in words
    PackedEncoding encoding = PackedEncoding::raw;
};

// Appends an image whose pixels come later (encoding raw); returns its row. file: its name below the folder that is
// packed. Throws bad_data for a size outside of 1..65535.
std::int64_t add_image(SplitTables& split, const ImageKey& key, int height, int width, const std::string& file = "");
// Appends an image whose JPEG of jpeg_bytes bytes comes later (encoding jpeg). A split holds one kind only.
std::int64_t add_jpeg(SplitTables& split, const ImageKey& key, int height, int width, std::uint64_t jpeg_bytes,
                      const std::string& file = "");
// Appends a caption of image_row, which must not be lower than that of the caption before; digests it.
// tokens: at most max_caption_tokens; text: the raw caption.
void add_caption(SplitTables& split, std::int64_t image_row, const std::vector<TokenId>& tokens, std::string_view text);
// About how large the file will be.
std::uint64_t packed_file_bytes(const std::vector<SplitTables>& splits, const PackedDescription& description);

class PackedWriter {
  public:
    // Creates "path.tmp.<pid>" with every table but the image digests. splits: named train, val or test, in that order,
    // not empty, of the description's encoding. Errors: io.
    PackedWriter(const std::filesystem::path& path, PackedDescription description, std::vector<SplitTables> splits);
    ~PackedWriter();

    const std::vector<SplitTables>& splits() const;
    // Encoding raw: writes and digests the pixels of one image; its size must be the one announced. Thread-safe for
    // different rows. Returns a digest of size and pixels alone.
    std::uint64_t write_image(std::size_t split_index, std::int64_t image_row, const ImageView& image);
    // Encoding jpeg: decodes (so that what does not decode is not packed), digests bytes and pixels, and writes the
    // bytes as they are; size and length must be those announced. origin is named where decoding fails. Thread-safe for
    // different rows. Returns the same as write_image for the decoded pixels.
    std::uint64_t write_jpeg(std::size_t split_index, std::int64_t image_row, std::span<const std::uint8_t> jpeg,
                             const std::string& origin);
    // Every image must have been written. Writes the digests, closes, syncs and renames. Returns the data digest.
    std::string commit();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}    // namespace blip

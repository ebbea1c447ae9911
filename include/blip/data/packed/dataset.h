// The packed file: one HDF5 file with native-resolution pictures, tokens, texts, digests and the vocabulary.
// Written by coco_pack (packed_writer.h), read by training and evaluation. Layout: data_prep/FORMAT.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "blip/base/durable_file.h"
#include "blip/image/image.h"
#include "blip/text/image_key.h"
#include "blip/text/wordpiece.h"

namespace blip {

// How pictures are stored: as pixels, or as the bytes of their JPEG files, decoded whenever they are read (a fifth of
// the space). Either way they are the same training data: read_image and the data digest do not tell them apart.
enum class PackedEncoding { raw, jpeg };

// A picture that packing left out because it could not be used (coco_pack --skip-bad).
struct SkippedImage {
    ImageKey id;
    std::string file;      // below the folder that was packed
    std::string reason;    // one line
};

// All of a split but its pictures. I images, C captions. Captions of one image are contiguous, images in caption order.
struct SplitTables {
    std::string name;                    // "train", "val", "test"
    std::vector<ImageKey> keys_I;        // what the data call the images
    std::vector<std::string> files_I;    // below the folder that was packed; "": not known
    std::vector<std::int32_t> heights_I, widths_I;
    std::vector<std::uint64_t> offsets_I;                       // first byte of the image in the stored ones
    std::vector<std::uint64_t> image_digests_I;                 // xxh3-64 over key, height, width, pixels
    std::vector<std::uint64_t> jpeg_lengths_I;                  // bytes of the JPEG; empty unless encoding is jpeg
    std::vector<std::uint64_t> jpeg_digests_I;                  // xxh3-64 over key, height, width, JPEG; likewise
    std::vector<std::uint16_t> tokens_C40;                      // C x max_caption_tokens, padded with 0
    std::vector<std::int32_t> lengths_C;                        // tokens in use, [DEC] and [SEP] included
    std::vector<std::int32_t> image_index_C;                    // row of the caption's image in this split
    std::vector<std::uint64_t> caption_digests_C;               // xxh3-64 over tokens, length, image index, text
    std::vector<std::uint64_t> text_offsets_C1;                 // C + 1 places in texts: caption c is [c, c + 1)
    std::string texts;                                          // raw texts as in the annotations, one after the other
    std::vector<std::pair<std::string, std::int64_t>> notes;    // what packing counted ("empty_captions", 3)
    std::vector<SkippedImage> skipped;                          // in the annotations' order
    std::uint64_t pixel_bytes = 0;                              // of all images, decoded
    std::uint64_t stored_bytes = 0;                             // of all images in the file; raw: pixel_bytes
    std::uint64_t stored_start_bytes = 0;                       // place of the first of them in the file

    std::int64_t image_count() const { return static_cast<std::int64_t>(keys_I.size()); }
    std::int64_t caption_count() const { return static_cast<std::int64_t>(lengths_C.size()); }
    // Raw text of a caption, valid while the split lives.
    std::string_view text(std::int64_t row) const {
        const auto c = static_cast<std::size_t>(row);
        return std::string_view(texts).substr(text_offsets_C1[c], text_offsets_C1[c + 1] - text_offsets_C1[c]);
    }
    // Token ids of a caption, max_caption_tokens of them.
    const std::uint16_t* tokens(std::int64_t row) const {
        return tokens_C40.data() + row * static_cast<std::int64_t>(max_caption_tokens);
    }
};

// What a damaged or wrong element is, for messages: "image 123456 (train, row 17)" and
// "caption row 90 (train, image 123456)". Safe for any row and for tables that failed their checks.
std::string describe_image(const SplitTables& split, std::int64_t row);
std::string describe_caption(const SplitTables& split, std::int64_t row);
// The same picture for people: "123456 (val2014/COCO_val2014_000000123456.jpg)". The row must exist.
std::string name_image(const SplitTables& split, std::int64_t row);
// Rows of the first caption of an image and of the next image's.
std::pair<std::int64_t, std::int64_t> caption_rows(const SplitTables& split, std::int64_t image_row);

// Read side. Opening reads the tables by HDF5's library, which one thread at a time may call, and checks format,
// version, bounds and the data digest (over all digests); nothing of the library stays open. Pictures are read with
// pread (and decoded, if they are stored as JPEG) and checked against their digests each time, all of it without a
// lock: as many at once as threads ask. Thread-safe after construction. Errors: missing_input (no such file), bad_data
// (not a packed file, truncated, damaged: names file and element).
class PackedDataset {
  public:
    static PackedDataset open(const std::filesystem::path& path);
    // For coco_pack --check and --info: as open, but a wrong data digest is left to data_digest_matches().
    static PackedDataset open_for_check(const std::filesystem::path& path);
    const std::filesystem::path& path() const { return path_; }
    // 16 hex digits; the same on every rank or the run is refused
    const std::string& data_digest() const { return data_digest_; }
    bool data_digest_matches() const { return digest_matches_; }
    const std::string& vocabulary_text() const { return vocabulary_text_; }
    std::string vocabulary_digest() const { return blip::vocabulary_digest(vocabulary_text_); }
    const std::string& prompt() const { return prompt_; }
    // tokens of [DEC] + prompt; targets before it are not trained
    int prompt_length() const { return prompt_length_; }
    PackedEncoding encoding() const { return encoding_; }
    std::int64_t format_version() const { return format_version_; }
    // where it was packed from, in words
    const std::string& source() const { return source_; }
    const std::vector<SplitTables>& splits() const { return splits_; }
    bool has_split(const std::string& name) const;
    const SplitTables& split(const std::string& name) const;    // throws bad_data naming the splits that exist

    // Pixels of one image, digests verified: of the stored bytes before they are decoded, and of the pixels, so that a
    // decoder that differs from the one of packing is noticed. Throws bad_data naming the image.
    Image read_image(const SplitTables& split, std::int64_t image_row) const;
    // Verifies the caption's digest (tokens, length, image index, text). Throws bad_data naming the caption.
    void verify_caption(const SplitTables& split, std::int64_t caption_row) const;

  private:
    PackedDataset() = default;
    [[noreturn]] void damaged(const std::string& what) const;
    void read_header(std::int64_t root);    // an id of HDF5's
    std::vector<std::uint8_t> read_stored(const SplitTables& split, std::int64_t row) const;
    Image decode_stored(const SplitTables& split, std::int64_t row, std::span<const std::uint8_t> jpeg) const;

    std::filesystem::path path_;
    FileDescriptor fd_;
    std::string data_digest_;
    bool digest_matches_ = false;
    std::string vocabulary_text_, prompt_, source_;
    int prompt_length_ = 0;
    PackedEncoding encoding_ = PackedEncoding::raw;
    std::int64_t format_version_ = 0;
    std::vector<SplitTables> splits_;
};

}    // namespace blip

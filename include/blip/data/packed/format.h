// What reader and writer of the packed file must agree on: names, version, digests. data_prep/FORMAT.md says it in
// words.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blip/base/version.h"
#include "blip/data/packed/dataset.h"

namespace blip {

inline constexpr std::string_view packed_format_name = "blip_mpi packed captions";
inline constexpr std::array<std::string_view, 3> packed_split_names = {"train", "val", "test"};
inline constexpr std::int32_t packed_max_side = 65535;                // of an image, in pixels (JPEG's limit)
inline constexpr std::uint64_t packed_most_image_bytes = 1U << 30;    // in the file: more than any decoder gives

// Digests are XXH3-64 over little-endian bytes.
// key, height (int32), width (int32), then height x width x 3 bytes. A key that is a number of int64 is that number;
// others are the smallest int64 (one more for a number), their length (uint64) and their text.
std::uint64_t image_digest(const ImageKey& key, const ImageView& image);
// key, height, width as above, then the bytes of the JPEG
std::uint64_t jpeg_digest(const ImageKey& key, std::int32_t height, std::int32_t width,
                          std::span<const std::uint8_t> jpeg);
// 40 tokens (uint16), length (int32), image index (int32), then the text's bytes
std::uint64_t caption_digest(const SplitTables& split, std::int64_t caption_row);
// Per split, in the file's order: name, a zero byte, image count and caption count (int64), image digests, caption
// digests (uint64); then prompt, a zero byte, prompt length (int64), vocabulary. As 16 hex digits.
// The encoding does not enter: files of the same pictures and captions have the same digest, whichever theirs is.
std::string packed_data_digest(const std::vector<SplitTables>& splits, std::string_view prompt, int prompt_length,
                               std::string_view vocabulary_text);

// Of the keys that are no number of int64 and of the files' names, which other digests do not cover. As 16 hex digits.
std::string packed_names_digest(const SplitTables& split);

// "raw", "jpeg"; and back, false if it is neither
std::string_view encoding_name(PackedEncoding encoding);
bool encoding_from_name(std::string_view name, PackedEncoding& encoding);
// The dataset that holds the pictures: "pixels" or "jpegs"
const char* stored_table_name(PackedEncoding encoding);

// Skipped pictures as the text of the dataset "skipped": a line for each with key, file and reason, tabs between them.
// Control characters of all three become spaces. Reading throws std::invalid_argument.
std::string skipped_to_text(const std::vector<SkippedImage>& skipped);
std::vector<SkippedImage> skipped_from_text(std::string_view text);

}    // namespace blip

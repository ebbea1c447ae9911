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
// id (int64), height (int32), width (int32), then height x width x 3 bytes
std::uint64_t image_digest(std::int64_t id, const ImageView& image);
// id, height, width as above, then the bytes of the JPEG
std::uint64_t jpeg_digest(std::int64_t id, std::int32_t height, std::int32_t width, std::span<const std::uint8_t> jpeg);
// 40 tokens (uint16), length (int32), image index (int32), then the text's bytes
std::uint64_t caption_digest(const SplitTables& split, std::int64_t caption_row);
// Per split, in the file's order: name, a zero byte, image count and caption count (int64), image digests, caption
// digests (uint64); then prompt, a zero byte, prompt length (int64), vocabulary. As 16 hex digits.
// The encoding does not enter: files of the same pictures and captions have the same digest, whichever theirs is.
std::string packed_data_digest(const std::vector<SplitTables>& splits, std::string_view prompt, int prompt_length,
                               std::string_view vocabulary_text);

// "raw", "jpeg"; and back, false if it is neither
std::string_view encoding_name(PackedEncoding encoding);
bool encoding_from_name(std::string_view name, PackedEncoding& encoding);
// The dataset that holds the pictures: "pixels" or "jpegs"
const char* stored_table_name(PackedEncoding encoding);

// Skipped pictures as the text of the dataset "skipped": a line for each with id, file and reason, tabs between them.
// Control characters of file and reason become spaces. Reading throws std::invalid_argument.
std::string skipped_to_text(const std::vector<SkippedImage>& skipped);
std::vector<SkippedImage> skipped_from_text(std::string_view text);

}    // namespace blip

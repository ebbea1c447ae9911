// Pictures of any kind that is read here, told apart by their first bytes and not by their names. Used by the caption
// verb.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "blip/image/image.h"

namespace blip {

enum class PictureKind { none, jpeg, png };

// By the first bytes (8 are enough).
PictureKind picture_kind(std::span<const std::uint8_t> bytes);
// The same of a file, without reading the rest. Errors: missing_input if there is none, io, naming the file.
PictureKind picture_kind_of_file(const std::filesystem::path& path);
// Errors: missing_input if absent, io, bad_data if it is no complete JPEG or PNG, naming the file.
Image decode_picture_file(const std::filesystem::path& path);

}    // namespace blip

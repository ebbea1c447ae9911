// Pictures of any form that is read here, told apart by their first bytes and not by their names, as Pillow's
// Image.open(file).convert('RGB') gives them. Used by coco_pack, the packed file and the caption verb.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "blip/image/image.h"

namespace blip {

enum class PictureKind { none, jpeg, png, webp, gif, bmp, tiff };

// Of a picture's file, packed or not: none has been seen that is a hundredth of it.
inline constexpr std::size_t max_picture_file_bytes = std::size_t{1} << 30;

// What the orientation in a file's EXIF or XMP data does: nothing, or the picture is turned as ImageOps.exif_transpose
// does. TIFF files are turned by their own in any case, as Pillow does when it reads them.
enum class ExifOrientation { ignored, applied };

// By the first bytes (18 are enough).
PictureKind picture_kind(std::span<const std::uint8_t> bytes);
// The same of a file, without reading the rest. Errors: missing_input if there is none, io, naming the file.
PictureKind picture_kind_of_file(const std::filesystem::path& path);
// Whether a file's name ends like a picture's, of a form that is read here or not (.heic).
bool has_picture_name(const std::filesystem::path& path);

// Reads only the header (the first bytes are enough if it ends there). origin is named in errors. Throws
// Error(bad_data).
ImageSize picture_size(std::span<const std::uint8_t> bytes, const std::string& origin);
// JPEG; PNG; WebP and GIF, of an animation the first frame; BMP; TIFF, its first page. Transparency is dropped, not
// laid over a background. Throws Error(bad_data) for what is no such picture, damaged, cut off or too large.
Image decode_picture(std::span<const std::uint8_t> bytes, const std::string& origin,
                     ExifOrientation orientation = ExifOrientation::ignored);
// Errors: missing_input if absent, io, bad_data as above, naming the file.
Image decode_picture_file(const std::filesystem::path& path, ExifOrientation orientation = ExifOrientation::ignored);

}    // namespace blip

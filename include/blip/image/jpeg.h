// JPEG files to RGB, the same bytes as Pillow's (accurate DCT, fancy upsampling; greyscale and CMYK become RGB).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "blip/image/image.h"

namespace blip {

struct ImageSize {
    int height = 0;
    int width = 0;
};

// Of a picture's file, packed or not: none has been seen that is a hundredth of it.
inline constexpr std::size_t max_picture_file_bytes = std::size_t{1} << 30;

// Reads only the header. origin is named in errors. Throws Error(bad_data).
ImageSize jpeg_size(std::span<const std::uint8_t> bytes, const std::string& origin);
// Throws Error(bad_data) if the data is not a complete JPEG (truncated files are errors, not grey areas).
Image decode_jpeg(std::span<const std::uint8_t> bytes, const std::string& origin);
Image decode_jpeg_file(const std::filesystem::path& path);
// Used by make_sample. quality 1..100.
std::vector<std::uint8_t> encode_jpeg(const ImageView& image, int quality);

}    // namespace blip

// JPEG files to RGB, the same bytes as Pillow's (accurate DCT, fancy upsampling; greyscale and CMYK become RGB), and
// back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "blip/image/image.h"

namespace blip {

// Any subsampling. What libjpeg warns of is ignored where no pixel is lost, the end marker may be missing where
// bytes follow. Throws Error(bad_data), naming origin, where data of pixels are missing or make no sense.
Image decode_jpeg(std::span<const std::uint8_t> bytes, const std::string& origin);
// Used by make_sample. quality 1..100.
std::vector<std::uint8_t> encode_jpeg(const ImageView& image, int quality);

}    // namespace blip

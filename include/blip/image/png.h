// PNG files to RGB, the same bytes as Pillow's convert('RGB').
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "blip/image/image.h"

namespace blip {

// Every kind of PNG: grey, palette, colour, 1 to 16 bits, interlaced. As in Pillow, transparency is dropped (not laid
// over a background), gamma and colour profiles are passed over, of 16 bits in colour the upper 8 count, and 16-bit
// grey is cut off at 255. origin is named in errors. Throws Error(bad_data) if the data is not a complete PNG.
Image decode_png(std::span<const std::uint8_t> bytes, const std::string& origin);

}    // namespace blip

// PIL's 8-bit bicubic resize, bit for bit (formula: reference/blip-semantics 'PIL bicubic'; Pillow 13's order of
// passes).
#pragma once

#include <cstdint>

#include "blip/image/image.h"

namespace blip {

// Crops box (pixels outside it are never read), then resizes to out_height x out_width.
// output_HWC: room for out_height * out_width * 3 bytes. Deterministic, single-threaded, no allocation kept.
void resize_bicubic(const ImageView& image, const Box& box, int out_height, int out_width, std::uint8_t* output_HWC);
// The whole picture.
Image resize_bicubic(const ImageView& image, int out_height, int out_width);

}    // namespace blip

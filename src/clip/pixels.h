// What CLIP sees of a picture. Internal to clip.
#pragma once

#include <string>

#include "blip/image/image.h"
#include "src/clip/config.h"

namespace blip {

// Pillow's bicubic resizing of the shorter side, the longer one rounded down, and the middle square of it, placed as
// torchvision's CenterCrop does; [3, crop, crop] normalised values. origin: named where the picture is too thin
// (bad_data).
void clip_pixels(const Image& image, const ClipPictures& pictures, const std::string& origin, float* pixels_3SS);

}    // namespace blip

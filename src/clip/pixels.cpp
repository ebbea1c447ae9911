// See pixels.h.
#include "src/clip/pixels.h"

#include <algorithm>
#include <cmath>

#include "blip/base/error.h"
#include "blip/image/resize.h"

namespace blip {

void clip_pixels(const Image& image, const ClipPictures& pictures, const std::string& origin, float* pixels_3SS) {
    const std::int64_t shorter = std::min(image.height, image.width);
    const auto resized_side = [&](int side) { return pictures.shorter * std::int64_t{side} / shorter; };
    const std::int64_t height = resized_side(image.height), width = resized_side(image.width);
    constexpr std::int64_t most_pixels = 1 << 28;    // for a square out of the middle
    if (height * width > most_pixels)
        throw Error(ExitCode::bad_data, "{} is {} x {} pixels: too thin for CLIP to look at", origin, image.width,
                    image.height);
    const Image resized = resize_bicubic(image, static_cast<int>(height), static_cast<int>(width));
    // halves to the even number, as Python rounds
    const auto start = [&](int side) { return static_cast<int>(std::nearbyint((side - pictures.crop) / 2.0)); };
    const int top = start(resized.height), left = start(resized.width), crop = pictures.crop;
    for (std::size_t channel = 0; channel < 3; ++channel)
        for (int y = 0; y < crop; ++y)
            for (int x = 0; x < crop; ++x) {
                const auto pixel = static_cast<std::size_t>((top + y) * resized.width + left + x);
                const float value = static_cast<float>(resized.pixels_HWC[pixel * 3 + channel]) / 255.0F;
                *pixels_3SS++ = (value - pictures.mean[channel]) / pictures.deviation[channel];
            }
}

}    // namespace blip

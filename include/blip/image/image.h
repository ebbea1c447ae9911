// An 8-bit RGB picture in memory; what picture, resize and augment pass to one another.
#pragma once

#include <cstdint>
#include <vector>

namespace blip {

// pixels_HWC: height x width x 3, row-major, no padding.
struct Image {
    int height = 0;
    int width = 0;
    std::vector<std::uint8_t> pixels_HWC;
};

struct ImageSize {
    int height = 0;
    int width = 0;
};

// Borrowed view of the same layout (for pixels inside a memory-mapped file).
struct ImageView {
    int height = 0;
    int width = 0;
    const std::uint8_t* pixels_HWC = nullptr;

    ImageView() = default;
    ImageView(int h, int w, const std::uint8_t* pixels) : height(h), width(w), pixels_HWC(pixels) {}
    ImageView(const Image& image) : height(image.height), width(image.width), pixels_HWC(image.pixels_HWC.data()) {}
};

// A rectangle in pixels: rows [top, top+height), columns [left, left+width).
struct Box {
    int top = 0;
    int left = 0;
    int height = 0;
    int width = 0;
};

}    // namespace blip

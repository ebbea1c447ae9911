// Small pictures for pages of HTML and TensorBoard. Used by the verb report, training and pack's sheet.
#pragma once

#include <string>

#include "blip/image/image.h"

namespace blip {

struct Thumbnail {
    int height = 0, width = 0;
    std::string jpeg;           // the file's bytes
    std::string uri() const;    // "data:image/jpeg;base64,...", what <img> takes as its source
};

// The picture, shrunk until no side is longer (never enlarged), as a JPEG of good quality.
Thumbnail thumbnail(const Image& image, int longest_side);

}    // namespace blip

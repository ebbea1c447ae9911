// Small pictures within pages of HTML. Used by the verb report and pack's sheet.
#pragma once

#include <string>

#include "blip/image/image.h"

namespace blip {

struct Thumbnail {
    int height = 0, width = 0;
    std::string uri;    // "data:image/jpeg;base64,...", what <img> takes as its source
};

// The picture, shrunk until no side is longer (never enlarged), as a JPEG of good quality.
Thumbnail thumbnail(const Image& image, int longest_side);

}    // namespace blip

// How a camera was held: EXIF's orientation, found as Pillow's ImageOps.exif_transpose finds it, and pictures turned by
// it. See formats.h.
#include <algorithm>

#include "src/image/formats/formats.h"

namespace blip {
namespace {

constexpr int tag_orientation = 0x0112;

// 0 if there is none.
int orientation_in_exif(Bytes exif) {
    if (exif.size() < 8) return 0;
    const bool little = exif[0] == 'I';
    const auto number = [&](std::size_t at, std::size_t bytes) {
        std::size_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | exif[at + (little ? bytes - 1 - i : i)];
        return value;
    };
    std::size_t at = number(4, 4);
    if (at > exif.size() - 2) return 0;
    const std::size_t count = number(at, 2);
    at += 2;
    for (std::size_t i = 0; i < count && at + 12 <= exif.size(); ++i, at += 12) {
        if (number(at, 2) != tag_orientation) continue;
        const std::size_t type = number(at + 2, 2);    // 1, 3 and 4: whole numbers of 1, 2 and 4 bytes
        if (number(at + 4, 4) != 1 || (type != 1 && type != 3 && type != 4)) return 0;
        return static_cast<int>(std::min<std::size_t>(number(at + 8, type == 4 ? 4 : (type + 1) / 2), 9));
    }
    return 0;
}

int orientation_in_xmp(Bytes xmp) {
    const std::string_view text(reinterpret_cast<const char*>(xmp.data()), xmp.size());
    constexpr std::string_view name = "tiff:Orientation";
    for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
        std::string_view rest = text.substr(at + name.size());
        if (rest.starts_with("=\""))
            rest.remove_prefix(2);
        else if (rest.starts_with(">"))
            rest.remove_prefix(1);
        else
            continue;
        if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] - '0';
    }
    return 0;
}

}    // namespace

int orientation_of(Bytes exif, Bytes xmp) {
    int orientation = orientation_in_exif(exif);
    if (orientation == 0) orientation = orientation_in_xmp(xmp);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

Image turned(Image image, int orientation) {
    if (orientation <= 1 || orientation > 8) return image;
    const bool swapped = orientation >= 5;
    const bool mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool upside_down = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    Image result = blank_image(swapped ? ImageSize{image.width, image.height} : ImageSize{image.height, image.width});
    std::uint8_t* to = result.pixels_HWC.data();
    for (int y = 0; y < result.height; ++y) {
        for (int x = 0; x < result.width; ++x, to += 3) {
            const int row = swapped ? x : y, column = swapped ? y : x;
            const auto from_row = static_cast<std::size_t>(upside_down ? image.height - 1 - row : row);
            const auto from_column = static_cast<std::size_t>(mirrored ? image.width - 1 - column : column);
            const std::size_t from = (from_row * static_cast<std::size_t>(image.width) + from_column) * 3;
            std::copy_n(image.pixels_HWC.data() + from, 3, to);
        }
    }
    return result;
}

}    // namespace blip

// See thumbnail.h.
#include "blip/image/thumbnail.h"

#include <algorithm>
#include <boost/archive/iterators/base64_from_binary.hpp>
#include <boost/archive/iterators/transform_width.hpp>
#include <cstdint>
#include <vector>

#include "blip/image/jpeg.h"
#include "blip/image/resize.h"

namespace blip {

namespace {

constexpr int quality = 80;

std::string base64(std::string bytes) {
    using namespace boost::archive::iterators;
    using Digits = base64_from_binary<transform_width<std::string::const_iterator, 6, 8>>;
    const std::size_t padding = (3 - bytes.size() % 3) % 3;
    bytes.resize(bytes.size() + padding);
    std::string text(Digits(bytes.cbegin()), Digits(bytes.cend()));
    text.replace(text.size() - padding, padding, padding, '=');
    return text;
}

}    // namespace

Thumbnail thumbnail(const Image& image, int longest_side) {
    const int longest = std::max(image.height, image.width), side = std::min(longest, longest_side);
    const Image small =
        resize_bicubic(image, std::max(1, image.height * side / longest), std::max(1, image.width * side / longest));
    const std::vector<std::uint8_t> jpeg = encode_jpeg(small, quality);
    return {small.height, small.width, {jpeg.begin(), jpeg.end()}};
}

std::string Thumbnail::uri() const { return "data:image/jpeg;base64," + base64(jpeg); }

}    // namespace blip

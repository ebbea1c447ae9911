// What the readers of picture files share; see formats.h.
#include "src/image/formats/formats.h"

#include <fmt/format.h>

#include "blip/base/error.h"

namespace blip {
namespace {

// Above this a header is taken for damaged (twice the limit at which Pillow warns of a decompression bomb).
constexpr std::int64_t most_pixels = 2 * 89'478'485LL;

}    // namespace

void throw_damaged(const std::string& origin, std::string_view form, std::string_view reason) {
    throw Error(ExitCode::bad_data, "{}: not a readable {} ({}); fetch the file again", origin, form, reason);
}

void throw_unsupported(const std::string& origin, std::string_view form, std::string_view kind) {
    throw Error(ExitCode::bad_data, "{}: a {} of a kind that is not read ({}); save it as JPEG or PNG", origin, form,
                kind);
}

ImageSize checked_size(std::int64_t width, std::int64_t height, const std::string& origin, std::string_view form) {
    if (width < 1 || height < 1) throw_damaged(origin, form, "no size in the header");
    if (width > most_pixels || height > most_pixels || width * height > most_pixels)
        throw_damaged(origin, form, fmt::format("{} x {} pixels are beyond belief", width, height));
    return {static_cast<int>(height), static_cast<int>(width)};
}

Image blank_image(ImageSize size) {
    return {
        size.height, size.width,
        std::vector<std::uint8_t>(static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3)};
}

}    // namespace blip

// PNG decoding by libpng; see formats.h. As in Pillow, gamma and colour profiles are ignored, of 16 bits in colour
// the upper 8 count, and 16-bit grey is cut off at 255. libpng reports errors by longjmp: between setjmp and any call
// of libpng there are no objects with destructors (they live in the Reader, outside), so that a jump skips nothing.
#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "blip/base/error.h"
#include "src/image/formats/formats.h"

namespace blip {
namespace {

constexpr const char* form = "PNG";

// What libpng's callbacks see.
struct Source {
    Bytes rest;
    char error[128] = "";
};

void on_error(png_structp png, png_const_charp message) {
    auto& source = *static_cast<Source*>(png_get_error_ptr(png));
    std::strncpy(source.error, message, sizeof source.error - 1);
    png_longjmp(png, 1);
}
// Of chunks that do not matter here: profiles, texts, times.
void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep destination, std::size_t count) {
    auto& source = *static_cast<Source*>(png_get_io_ptr(png));
    if (count > source.rest.size()) png_error(png, "the file ends too early");
    std::memcpy(destination, source.rest.data(), count);
    source.rest = source.rest.subspan(count);
}

struct Header {
    ImageSize size;
    bool is_grey_of_16_bits = false;    // and comes so; all else as RGB
};

class Reader {
  public:
    Reader(Bytes bytes, const std::string& origin) : origin_(origin) {
        source_.rest = bytes;
        png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, on_error, on_warning);
        if (png_ != nullptr) info_ = png_create_info_struct(png_);
        if (info_ == nullptr) {
            png_destroy_read_struct(&png_, &info_, nullptr);
            throw Error(ExitCode::internal, "libpng did not start");
        }
        png_set_read_fn(png_, &source_, on_read);
    }
    ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
    Reader(const Reader&) = delete;

    Header header() {
        std::uint32_t width = 0, height = 0;
        bool grey16 = false;
        if (!read_header(width, height, grey16)) throw_damaged(origin_, form, source_.error);
        return {checked_size(width, height, origin_, form), grey16};
    }
    void pixels(std::vector<png_bytep>& rows) {
        if (!read_pixels(rows.data())) throw_damaged(origin_, form, source_.error);
    }

  private:
    bool read_header(std::uint32_t& width, std::uint32_t& height, bool& grey16) {
        int depth = 0, colour = 0;
        if (setjmp(png_jmpbuf(png_))) return false;
        png_read_info(png_, info_);
        png_get_IHDR(png_, info_, &width, &height, &depth, &colour, nullptr, nullptr, nullptr);
        grey16 = colour == PNG_COLOR_TYPE_GRAY && depth == 16;
        if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);    // an index beyond it is black
        if (!grey16) {
            png_set_strip_16(png_);
            png_set_gray_to_rgb(png_);
        }
        png_set_strip_alpha(png_);
        png_set_interlace_handling(png_);
        png_read_update_info(png_, info_);
        return true;
    }
    bool read_pixels(png_bytepp rows) {
        if (setjmp(png_jmpbuf(png_))) return false;
        png_read_image(png_, rows);
        return true;
    }

    const std::string& origin_;
    Source source_;
    png_structp png_ = nullptr;
    png_infop info_ = nullptr;
};

}    // namespace

PictureHeader png_header(Bytes bytes, const std::string& origin) {
    const ImageSize size = Reader(bytes, origin).header().size;
    // EXIF may follow the pixels: every chunk has 4 bytes of length, 4 of name, and 4 of check sum at its end
    Bytes exif, xmp;
    constexpr std::string_view xmp_key("XML:com.adobe.xmp\0\0", 19);    // not compressed
    for (Bytes rest = bytes.subspan(8); rest.size() >= 12;) {
        const std::size_t length = png_get_uint_32(rest.data());
        if (length > rest.size() - 12) break;
        const std::string_view name(reinterpret_cast<const char*>(rest.data()) + 4, 4);
        const Bytes content = rest.subspan(8, length);
        if (name == "eXIf") exif = content;
        if (name == "iTXt" && length > xmp_key.size() && std::equal(xmp_key.begin(), xmp_key.end(), content.begin()))
            xmp = content;
        rest = rest.subspan(12 + length);
    }
    return {size, orientation_of(exif, xmp)};
}

Image decode_png(Bytes bytes, const std::string& origin) {
    Reader reader(bytes, origin);
    const Header header = reader.header();
    Image image = blank_image(header.size);
    const auto height = static_cast<std::size_t>(image.height), width = static_cast<std::size_t>(image.width);
    std::vector<std::uint8_t> grey(header.is_grey_of_16_bits ? 2 * height * width : 0);
    std::uint8_t* first = header.is_grey_of_16_bits ? grey.data() : image.pixels_HWC.data();
    std::vector<png_bytep> rows(height);
    for (std::size_t y = 0; y < height; ++y) rows[y] = first + y * width * (header.is_grey_of_16_bits ? 2 : 3);
    reader.pixels(rows);
    // Big-endian; Pillow cuts off what exceeds 8 bits instead of scaling it down.
    std::uint8_t* pixel = image.pixels_HWC.data();
    for (std::size_t i = 0; i < grey.size(); i += 2, pixel += 3)
        std::fill_n(pixel, 3, grey[i] != 0 ? std::uint8_t{255} : grey[i + 1]);
    return image;
}

}    // namespace blip

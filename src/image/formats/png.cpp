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
    int depth = 0, colour = 0;
    int channels = 0;             // after the transforms asked for: 1 or 3
    int bytes_per_channel = 0;    // 2: 16-bit grey
    std::size_t row_bytes = 0;
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
        Header header;
        std::uint32_t width = 0, height = 0;
        if (!read_header(header, width, height)) throw_damaged(origin_, form, source_.error);
        header.size = checked_size(width, height, origin_, form);
        return header;
    }
    // rows: one pointer a row, to header.row_bytes each
    void pixels(std::vector<png_bytep>& rows) {
        if (!read_pixels(rows.data())) throw_damaged(origin_, form, source_.error);
    }
    // rgb of each index; what the file does not give is black
    std::vector<std::uint8_t> palette() {
        std::vector<std::uint8_t> rgb(256 * 3, 0);
        png_colorp colours = nullptr;
        int count = 0;
        png_get_PLTE(png_, info_, &colours, &count);
        for (int i = 0; i < count; ++i) {
            rgb[static_cast<std::size_t>(3 * i)] = colours[i].red;
            rgb[static_cast<std::size_t>(3 * i + 1)] = colours[i].green;
            rgb[static_cast<std::size_t>(3 * i + 2)] = colours[i].blue;
        }
        return rgb;
    }

  private:
    bool read_header(Header& header, std::uint32_t& width, std::uint32_t& height) {
        if (setjmp(png_jmpbuf(png_))) return false;
        png_read_info(png_, info_);
        png_get_IHDR(png_, info_, &width, &height, &header.depth, &header.colour, nullptr, nullptr, nullptr);
        if (header.colour == PNG_COLOR_TYPE_PALETTE) png_set_packing(png_);
        if (header.colour == PNG_COLOR_TYPE_GRAY && header.depth < 8) png_set_expand_gray_1_2_4_to_8(png_);
        if (header.colour != PNG_COLOR_TYPE_GRAY) png_set_strip_16(png_);
        png_set_strip_alpha(png_);
        png_set_interlace_handling(png_);
        png_read_update_info(png_, info_);
        header.channels = png_get_channels(png_, info_);
        header.bytes_per_channel = png_get_bit_depth(png_, info_) == 16 ? 2 : 1;
        header.row_bytes = png_get_rowbytes(png_, info_);
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

void grey_to_rgb(const std::uint8_t* grey, std::size_t count, std::uint8_t* rgb) {
    for (std::size_t i = 0; i < count; ++i) std::fill_n(rgb + 3 * i, 3, grey[i]);
}

// Big-endian; Pillow cuts off what exceeds 8 bits instead of scaling it down.
void grey16_to_rgb(const std::uint8_t* grey, std::size_t count, std::uint8_t* rgb) {
    for (std::size_t i = 0; i < count; ++i)
        std::fill_n(rgb + 3 * i, 3, grey[2 * i] != 0 ? std::uint8_t{255} : grey[2 * i + 1]);
}

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
    const std::size_t count = image.pixels_HWC.size() / 3;
    const auto height = static_cast<std::size_t>(image.height);
    const bool direct = header.channels == 3;
    std::vector<std::uint8_t> values(direct ? 0 : header.row_bytes * height);
    std::uint8_t* first = direct ? image.pixels_HWC.data() : values.data();
    std::vector<png_bytep> rows(height);
    for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = first + y * header.row_bytes;
    reader.pixels(rows);
    if (direct) return image;
    if (header.colour == PNG_COLOR_TYPE_PALETTE) {
        const std::vector<std::uint8_t> palette = reader.palette();
        for (std::size_t i = 0; i < count; ++i)
            std::copy_n(palette.data() + 3 * values[i], 3, image.pixels_HWC.data() + 3 * i);
    } else if (header.bytes_per_channel == 2) {
        grey16_to_rgb(values.data(), count, image.pixels_HWC.data());
    } else {
        grey_to_rgb(values.data(), count, image.pixels_HWC.data());
    }
    return image;
}

}    // namespace blip

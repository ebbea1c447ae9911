// TIFF decoding by libtiff: the first page, its samples turned into RGB as Pillow does. See formats.h.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "blip/base/handle.h"
#include "src/image/formats/formats.h"

namespace blip {
namespace {

constexpr const char* form = "TIFF";

// What libtiff's callbacks see.
struct Source {
    Bytes bytes;
    std::size_t at = 0;
    char error[256] = "";
};

tmsize_t on_read(thandle_t handle, void* to, tmsize_t count) {
    auto& source = *static_cast<Source*>(handle);
    const std::size_t left = source.bytes.size() - std::min(source.at, source.bytes.size());
    const std::size_t got = std::min(static_cast<std::size_t>(count), left);
    if (got > 0) std::memcpy(to, source.bytes.data() + source.at, got);
    source.at += got;
    return static_cast<tmsize_t>(got);
}
tmsize_t on_write(thandle_t, void*, tmsize_t) { return 0; }
toff_t on_seek(thandle_t handle, toff_t offset, int whence) {
    auto& source = *static_cast<Source*>(handle);
    const std::size_t base = whence == SEEK_CUR ? source.at : whence == SEEK_END ? source.bytes.size() : 0;
    return source.at = base + static_cast<std::size_t>(offset);
}
int on_close(thandle_t) { return 0; }
toff_t on_size(thandle_t handle) { return static_cast<Source*>(handle)->bytes.size(); }
// The first error is the reason, later ones follow from it.
void on_error(thandle_t handle, const char*, const char* text, va_list arguments) {
    auto& source = *static_cast<Source*>(handle);
    if (source.error[0] == '\0') std::vsnprintf(source.error, sizeof source.error, text, arguments);
}

struct TiffTraits {
    using value_type = TIFF*;
    static value_type invalid() { return nullptr; }
    static void close(value_type file) noexcept { TIFFClose(file); }
};

class Reader {
  public:
    Reader(Bytes bytes, const std::string& origin) : origin_(origin), source_{bytes} {
        static std::once_flag once;
        std::call_once(once, [] {    // libtiff's own print; there is one of each for the whole program
            TIFFSetErrorHandler(nullptr);
            TIFFSetWarningHandler(nullptr);
            TIFFSetErrorHandlerExt(on_error);
        });
        file_ = Handle<TiffTraits>(
            TIFFClientOpen("picture", "rm", &source_, on_read, on_write, on_seek, on_close, on_size, nullptr, nullptr));
        if (!file_) damaged();
        std::uint32_t width = 0, height = 0;
        TIFFGetField(file_.get(), TIFFTAG_IMAGEWIDTH, &width);
        TIFFGetField(file_.get(), TIFFTAG_IMAGELENGTH, &height);
        stored_ = checked_size(width, height, origin, form);
        std::uint16_t orientation = 1, extra_count = 0, *extras = nullptr;
        TIFFGetFieldDefaulted(file_.get(), TIFFTAG_ORIENTATION, &orientation);
        orientation_ = orientation;
        bits_ = number(TIFFTAG_BITSPERSAMPLE);
        samples_ = number(TIFFTAG_SAMPLESPERPIXEL);
        format_ = number(TIFFTAG_SAMPLEFORMAT);
        compression_ = number(TIFFTAG_COMPRESSION);
        separate_ = number(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
        std::uint16_t colours = PHOTOMETRIC_MINISWHITE;    // what Pillow takes where nothing is said
        TIFFGetField(file_.get(), TIFFTAG_PHOTOMETRIC, &colours);
        colours_ = compression_ == COMPRESSION_OJPEG ? PHOTOMETRIC_YCBCR : colours;
        TIFFGetFieldDefaulted(file_.get(), TIFFTAG_EXTRASAMPLES, &extra_count, &extras);
        premultiplied_ = extra_count > 0 && extras[0] == EXTRASAMPLE_ASSOCALPHA;
    }

    ImageSize size() const {
        return orientation_ >= 5 && orientation_ <= 8 ? ImageSize{stored_.width, stored_.height} : stored_;
    }

    Image image() {
        Image result = blank_image(stored_);
        if (colours_ == PHOTOMETRIC_YCBCR && samples_ == 3 && !has_plain_luma())
            read_by_libtiff(result);
        else
            read_samples(result);
        return turned(std::move(result), orientation_);
    }

  private:
    [[noreturn]] void damaged() const {
        throw_damaged(origin_, form, source_.error[0] == '\0' ? "damaged or cut off" : source_.error);
    }
    [[noreturn]] void unsupported(std::string_view what) const { throw_unsupported(origin_, form, what); }
    unsigned number(ttag_t tag) const {
        std::uint16_t value = 0;
        TIFFGetFieldDefaulted(file_.get(), tag, &value);
        return value;
    }

    // Luminance and colour differences, each with a value at every pixel and uncompressed: Pillow converts these
    // itself.
    bool has_plain_luma() const {
        std::uint16_t across = 0, down = 0;
        TIFFGetFieldDefaulted(file_.get(), TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
        return compression_ == COMPRESSION_NONE && across == 1 && down == 1;
    }

    void read_by_libtiff(Image& image) {
        const std::size_t count = image.pixels_HWC.size() / 3;
        if (TIFFTileSize64(file_.get()) > most_tile_bytes || TIFFStripSize64(file_.get()) > most_bytes) damaged();
        TIFFSetField(file_.get(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);    // turned by us
        std::vector<std::uint32_t> raster(count);
        if (!TIFFReadRGBAImageOriented(file_.get(), static_cast<std::uint32_t>(stored_.width),
                                       static_cast<std::uint32_t>(stored_.height), raster.data(), ORIENTATION_TOPLEFT,
                                       1))
            damaged();
        std::uint8_t* pixel = image.pixels_HWC.data();
        for (const std::uint32_t abgr : raster) {
            *pixel++ = static_cast<std::uint8_t>(TIFFGetR(abgr));
            *pixel++ = static_cast<std::uint8_t>(TIFFGetG(abgr));
            *pixel++ = static_cast<std::uint8_t>(TIFFGetB(abgr));
        }
    }

    void check_kind() const {
        const bool whole = format_ == SAMPLEFORMAT_UINT || format_ == SAMPLEFORMAT_VOID;
        const bool grey = colours_ == PHOTOMETRIC_MINISWHITE || colours_ == PHOTOMETRIC_MINISBLACK ||
                          (colours_ == PHOTOMETRIC_YCBCR && samples_ == 1);
        const bool few_bits = bits_ == 1 || bits_ == 2 || bits_ == 4 || bits_ == 8;
        bool known = false;
        if (grey)
            known = samples_ == 1 ? (few_bits && (whole || bits_ == 8)) || bits_ == 16 || bits_ == 32
                                  : samples_ == 2 && bits_ == 8 && whole && !premultiplied_;
        else if (colours_ == PHOTOMETRIC_PALETTE)
            known = whole && few_bits && (samples_ == 1 || (samples_ == 2 && bits_ == 8));
        else if (colours_ == PHOTOMETRIC_RGB)
            known = whole && (bits_ == 8 || bits_ == 16) && samples_ >= 3 && samples_ <= 6;
        else if (colours_ == PHOTOMETRIC_SEPARATED)
            known = whole && (bits_ == 8 || bits_ == 16) && samples_ >= 4 && samples_ <= 6;
        else if (colours_ == PHOTOMETRIC_YCBCR)
            known = whole && bits_ == 8 && samples_ == 3;
        if (!known || (format_ == SAMPLEFORMAT_IEEEFP && bits_ != 32) || format_ > SAMPLEFORMAT_IEEEFP)
            unsupported("its colours, bits or samples");
    }

    void read_samples(Image& image) {
        if (colours_ == PHOTOMETRIC_YCBCR && compression_ == COMPRESSION_JPEG)
            unsupported("its colours, bits or samples");
        check_kind();
        read_palette();
        const auto width = static_cast<std::size_t>(stored_.width), height = static_cast<std::size_t>(stored_.height);
        const std::size_t planes = separate_ ? samples_ : 1;
        const std::size_t row_bytes = (width * bits_ * (separate_ ? 1 : samples_) + 7) / 8;
        if (static_cast<std::size_t>(TIFFScanlineSize64(file_.get())) != row_bytes) damaged();
        if (row_bytes > most_bytes / planes / height) unsupported("its size");
        std::vector<std::uint8_t> stored(planes * height * row_bytes);
        for (std::size_t plane = 0; plane < planes; ++plane)
            TIFFIsTiled(file_.get()) ? read_tiles(plane, row_bytes, stored.data() + plane * height * row_bytes)
                                     : read_strips(plane, row_bytes, stored.data() + plane * height * row_bytes);
        std::vector<int> values(width * samples_);
        for (std::size_t y = 0; y < height; ++y) {
            for (std::size_t plane = 0; plane < planes; ++plane)
                unpack(stored.data() + (plane * height + y) * row_bytes, values.size() / planes, values.data() + plane,
                       planes);
            std::uint8_t* pixel = image.pixels_HWC.data() + y * width * 3;
            for (std::size_t x = 0; x < width; ++x, pixel += 3) put_pixel(values.data() + x * samples_, pixel);
        }
    }

    void read_strips(std::size_t plane, std::size_t row_bytes, std::uint8_t* to) {
        const auto height = static_cast<std::uint32_t>(stored_.height);
        std::uint32_t rows = 0;
        TIFFGetFieldDefaulted(file_.get(), TIFFTAG_ROWSPERSTRIP, &rows);
        rows = std::min(rows, height);
        if (rows == 0) damaged();
        for (std::uint32_t y = 0; y < height; y += rows) {
            const std::size_t wanted = row_bytes * std::min(rows, height - y);
            const std::uint32_t strip = TIFFComputeStrip(file_.get(), y, static_cast<std::uint16_t>(plane));
            const tmsize_t got =
                TIFFReadEncodedStrip(file_.get(), strip, to + y * row_bytes, static_cast<tmsize_t>(wanted));
            if (got < 0 || static_cast<std::size_t>(got) < wanted) damaged();
        }
    }

    void read_tiles(std::size_t plane, std::size_t row_bytes, std::uint8_t* to) {
        std::uint32_t tile_width = 0, tile_height = 0;
        TIFFGetField(file_.get(), TIFFTAG_TILEWIDTH, &tile_width);
        TIFFGetField(file_.get(), TIFFTAG_TILELENGTH, &tile_height);
        const std::uint64_t tile_bytes = TIFFTileSize64(file_.get());
        const std::size_t tile_row = static_cast<std::size_t>(TIFFTileRowSize64(file_.get()));
        if (tile_width == 0 || tile_height == 0 || tile_bytes > most_tile_bytes || tile_bytes < tile_row * tile_height)
            damaged();
        std::vector<std::uint8_t> tile(tile_bytes);
        const auto width = static_cast<std::uint32_t>(stored_.width),
                   height = static_cast<std::uint32_t>(stored_.height);
        for (std::uint32_t y = 0; y < height; y += std::min(tile_height, height - y)) {
            std::size_t column = 0;    // in bytes: the width of tiles is a multiple of 16
            for (std::uint32_t x = 0; x < width; x += std::min(tile_width, width - x), column += tile_row) {
                const std::uint32_t number = TIFFComputeTile(file_.get(), x, y, 0, static_cast<std::uint16_t>(plane));
                const tmsize_t got =
                    TIFFReadEncodedTile(file_.get(), number, tile.data(), static_cast<tmsize_t>(tile_bytes));
                if (got < 0 || static_cast<std::uint64_t>(got) < tile_bytes) damaged();
                const std::size_t rows = std::min(tile_height, height - y);
                for (std::size_t row = 0; row < rows && column < row_bytes; ++row)
                    std::memcpy(to + (y + row) * row_bytes + column, tile.data() + row * tile_row,
                                std::min(tile_row, row_bytes - column));
            }
        }
    }

    void read_palette() {
        if (colours_ != PHOTOMETRIC_PALETTE) return;
        std::uint16_t* channels[3] = {};
        if (!TIFFGetField(file_.get(), TIFFTAG_COLORMAP, &channels[0], &channels[1], &channels[2])) damaged();
        for (std::size_t i = 0; i < std::size_t{1} << bits_; ++i)
            for (std::size_t c = 0; c < 3; ++c) palette_[i][c] = static_cast<std::uint8_t>(channels[c][i] >> 8);
    }

    // Samples of a row as whole numbers, each `apart` places behind the last. Numbers of 32 bits and fractions are cut
    // off at 0 and 255, as nothing else becomes of them.
    void unpack(const std::uint8_t* from, std::size_t count, int* to, std::size_t apart) const {
        for (std::size_t i = 0; i < count; ++i, to += apart) {
            if (bits_ <= 8) {
                const std::size_t bit = i * bits_;
                *to = from[bit / 8] >> (8 - bits_ - bit % 8) & ((1 << bits_) - 1);
            } else if (bits_ == 16) {
                std::uint16_t value;
                std::memcpy(&value, from + 2 * i, 2);
                *to = format_ == SAMPLEFORMAT_INT ? static_cast<std::int16_t>(value) : value;
            } else if (format_ == SAMPLEFORMAT_IEEEFP) {
                float value;
                std::memcpy(&value, from + 4 * i, 4);
                *to = value > 0 ? static_cast<int>(std::min(value, 255.0F)) : 0;
            } else {
                std::int32_t value;
                std::memcpy(&value, from + 4 * i, 4);
                *to = std::clamp(value, 0, 255);
            }
        }
    }

    void put_pixel(const int* sample, std::uint8_t* rgb) const {
        const int drop = bits_ == 16 ? 8 : 0;
        switch (colours_) {
            case PHOTOMETRIC_PALETTE:
                std::copy_n(palette_[static_cast<std::size_t>(sample[0])].data(), 3, rgb);
                return;
            case PHOTOMETRIC_RGB:
                for (int c = 0; c < 3; ++c) {
                    const int value = sample[c] >> drop,
                              alpha = premultiplied_ && samples_ > 3 ? sample[3] >> drop : 255;
                    rgb[c] = static_cast<std::uint8_t>(alpha == 0 ? 0 : std::min(value * 255 / alpha, 255));
                }
                return;
            case PHOTOMETRIC_SEPARATED:
                for (int c = 0; c < 3; ++c) rgb[c] = light_of(sample[c] >> drop, sample[3] >> drop);
                return;
            case PHOTOMETRIC_YCBCR:
                if (samples_ == 3) {
                    put_luma(sample, rgb);
                    return;
                }
                break;
            default:
                break;
        }
        int grey = bits_ < 8 ? sample[0] * 255 / ((1 << bits_) - 1) : std::clamp(sample[0], 0, 255);
        if (colours_ == PHOTOMETRIC_MINISWHITE && bits_ <= 8) grey = 255 - grey;
        std::fill_n(rgb, 3, static_cast<std::uint8_t>(grey));
    }

    // JFIF's formula (ITU-R BT.601) in 64ths, as Pillow computes it
    static void put_luma(const int* sample, std::uint8_t* rgb) {
        const auto part = [](double factor, int difference) {
            return static_cast<int>(factor * (difference - 128) * 64 + 0.5);
        };
        const int y = sample[0], blue = sample[1], red = sample[2];
        const int values[] = {y + (part(1.402, red) >> 6), y + ((part(-0.34414, blue) + part(-0.71414, red)) >> 6),
                              y + (part(1.772, blue) >> 6)};
        for (int c = 0; c < 3; ++c) rgb[c] = static_cast<std::uint8_t>(std::clamp(values[c], 0, 255));
    }

    static constexpr std::uint64_t most_bytes = std::uint64_t{1} << 30;    // of all samples, or of a strip
    static constexpr std::uint64_t most_tile_bytes = std::uint64_t{1}
                                                     << 26;    // a small picture may claim a large tile
    const std::string& origin_;
    Source source_;
    Handle<TiffTraits> file_;
    ImageSize stored_;    // before it is turned
    int orientation_ = 1;
    unsigned bits_ = 1, samples_ = 1, format_ = SAMPLEFORMAT_UINT, compression_ = COMPRESSION_NONE, colours_ = 0;
    bool separate_ = false, premultiplied_ = false;
    std::array<std::array<std::uint8_t, 3>, 256> palette_{};
};

}    // namespace

PictureHeader tiff_header(Bytes bytes, const std::string& origin) { return {Reader(bytes, origin).size(), 1}; }

Image decode_tiff(Bytes bytes, const std::string& origin) { return Reader(bytes, origin).image(); }

}    // namespace blip

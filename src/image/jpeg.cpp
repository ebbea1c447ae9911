// JPEG decoding and encoding by libturbojpeg. Called by coco_pack, make_sample, the batch loader and picture.cpp.
#include "blip/image/jpeg.h"

#include <fmt/format.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/handle.h"
#include "src/image/image_limits.h"

namespace blip {
namespace {

struct TurboTraits {
    using value_type = tjhandle;
    static tjhandle invalid() { return nullptr; }
    static void close(tjhandle handle) noexcept { tjDestroy(handle); }
};
using Turbo = Handle<TurboTraits>;

[[noreturn]] void throw_damaged(const std::string& origin, const std::string& reason) {
    throw Error(ExitCode::bad_data, fmt::format("{}: not a readable JPEG ({}); fetch the file again", origin, reason));
}

Turbo make_decoder() {
    Turbo decoder(tjInitDecompress());
    if (!decoder)
        throw Error(ExitCode::internal, fmt::format("libturbojpeg did not start: {}", tjGetErrorStr2(nullptr)));
    return decoder;
}

struct Header {
    ImageSize size;
    int colorspace = 0;
};

Header read_header(const Turbo& decoder, std::span<const std::uint8_t> bytes, const std::string& origin) {
    if (bytes.empty()) throw_damaged(origin, "the file is empty");
    Header header;
    int subsampling = 0;
    const int result = tjDecompressHeader3(decoder.get(), bytes.data(), bytes.size(), &header.size.width,
                                           &header.size.height, &subsampling, &header.colorspace);
    if (result != 0 && tjGetErrorCode(decoder.get()) == TJERR_FATAL)
        throw_damaged(origin, tjGetErrorStr2(decoder.get()));
    if (header.size.width < 1 || header.size.height < 1) throw_damaged(origin, "no size in the header");
    if (static_cast<std::int64_t>(header.size.width) * header.size.height > most_pixels) {
        throw_damaged(origin, fmt::format("{} x {} pixels are beyond belief", header.size.width, header.size.height));
    }
    return header;
}

// Whether the end marker follows the first scan. (One inside an embedded thumbnail does not count.)
bool has_end_marker(std::span<const std::uint8_t> bytes) {
    std::size_t at = 2;
    while (at + 4 <= bytes.size() && bytes[at] == 0xFF && bytes[at + 1] != 0xDA) {
        at += bytes[at + 1] == 0xFF ? 1 : 2 + (static_cast<std::size_t>(bytes[at + 2]) << 8 | bytes[at + 3]);
    }
    constexpr std::uint8_t end_of_image[] = {0xFF, 0xD9};
    const auto scan = bytes.subspan(std::min(at, bytes.size()));
    return std::search(scan.begin(), scan.end(), std::begin(end_of_image), std::end(end_of_image)) != scan.end();
}

// A warning means pixels that were made up, but for these two, which Pillow passes over as well.
bool is_harmless(std::string_view warning, std::span<const std::uint8_t> bytes) {
    const bool known = warning.find("extraneous bytes before marker") != std::string_view::npos ||
                       warning.find("unknown JFIF revision number") != std::string_view::npos;
    return known && has_end_marker(bytes);
}

void decompress(const Turbo& decoder, std::span<const std::uint8_t> bytes, const Header& header, int format,
                std::uint8_t* pixels, const std::string& origin) {
    // the message is that of the first warning
    const int result = tjDecompress2(decoder.get(), bytes.data(), bytes.size(), pixels, header.size.width, 0,
                                     header.size.height, format, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
    if (result == 0) return;
    const std::string reason = tjGetErrorStr2(decoder.get());
    if (tjGetErrorCode(decoder.get()) == TJERR_WARNING && is_harmless(reason, bytes)) return;
    throw_damaged(origin, reason);
}

// round(a * b / 255) for bytes
int multiply_255(int a, int b) {
    const int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

// Four-channel JPEGs hold inverted ink (Adobe's habit, which Pillow takes for granted): here 255 means no ink.
void inverted_cmyk_to_rgb(const std::uint8_t* cmyk, std::size_t count, std::uint8_t* rgb) {
    for (std::size_t i = 0; i < count; ++i, cmyk += 4, rgb += 3) {
        const int light = cmyk[3];
        for (int channel = 0; channel < 3; ++channel) {
            rgb[channel] =
                static_cast<std::uint8_t>(std::clamp(light - multiply_255(255 - cmyk[channel], light), 0, 255));
        }
    }
}

}    // namespace

ImageSize jpeg_size(std::span<const std::uint8_t> bytes, const std::string& origin) {
    return read_header(make_decoder(), bytes, origin).size;
}

Image decode_jpeg(std::span<const std::uint8_t> bytes, const std::string& origin) {
    const Turbo decoder = make_decoder();
    const Header header = read_header(decoder, bytes, origin);
    Image image{header.size.height, header.size.width, {}};
    const std::size_t count = static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width);
    image.pixels_HWC.resize(count * 3);
    if (header.colorspace == TJCS_CMYK || header.colorspace == TJCS_YCCK) {
        std::vector<std::uint8_t> cmyk(count * 4);
        decompress(decoder, bytes, header, TJPF_CMYK, cmyk.data(), origin);
        inverted_cmyk_to_rgb(cmyk.data(), count, image.pixels_HWC.data());
    } else {
        decompress(decoder, bytes, header, TJPF_RGB, image.pixels_HWC.data(), origin);
    }
    return image;
}

Image decode_jpeg_file(const std::filesystem::path& path) {
    const std::string content = read_regular_file(path, max_picture_file_bytes);
    return decode_jpeg({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}, path.string());
}

std::vector<std::uint8_t> encode_jpeg(const ImageView& image, int quality) {
    if (quality < 1 || quality > 100) {
        throw Error(ExitCode::internal, fmt::format("JPEG quality {} is outside 1..100", quality));
    }
    const Turbo encoder(tjInitCompress());
    if (!encoder)
        throw Error(ExitCode::internal, fmt::format("libturbojpeg did not start: {}", tjGetErrorStr2(nullptr)));
    std::vector<std::uint8_t> bytes(tjBufSize(image.width, image.height, TJSAMP_420));
    unsigned char* destination = bytes.data();
    unsigned long size = bytes.size();
    if (tjCompress2(encoder.get(), image.pixels_HWC, image.width, 0, image.height, TJPF_RGB, &destination, &size,
                    TJSAMP_420, quality, TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC) != 0) {
        throw Error(ExitCode::internal, fmt::format("cannot encode a {} x {} JPEG: {}", image.width, image.height,
                                                    tjGetErrorStr2(encoder.get())));
    }
    bytes.resize(size);
    return bytes;
}

}    // namespace blip

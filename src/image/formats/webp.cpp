// WebP decoding by libwebp's decoder of animations, as Pillow does: the first frame on a black canvas. See formats.h.
#include <webp/demux.h>

#include <algorithm>
#include <memory>

#include "blip/base/error.h"
#include "src/image/formats/formats.h"

namespace blip {
namespace {

constexpr const char* form = "WebP";

ImageSize size_of(Bytes bytes, const std::string& origin) {
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK)
        throw_damaged(origin, form, "no header that makes sense");
    return checked_size(features.width, features.height, origin, form);
}

// Empty where there is none.
Bytes chunk_of(const WebPDemuxer* file, const char* name) {
    WebPChunkIterator found{};
    const bool there = WebPDemuxGetChunk(file, name, 1, &found) != 0;
    const Bytes bytes = there ? Bytes(found.chunk.bytes, found.chunk.size) : Bytes();    // in the file's own bytes
    WebPDemuxReleaseChunkIterator(&found);
    return bytes;
}

}    // namespace

PictureHeader webp_header(Bytes bytes, const std::string& origin) {
    const ImageSize size = size_of(bytes, origin);
    const WebPData data{bytes.data(), bytes.size()};
    const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> file(WebPDemux(&data), WebPDemuxDelete);
    if (!file) return {size, 1};    // only the first part of the file
    Bytes exif = chunk_of(file.get(), "EXIF");
    constexpr std::string_view prefix("Exif\0\0", 6);    // some writers leave it, as in a JPEG
    if (exif.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), exif.begin()))
        exif = exif.subspan(prefix.size());
    return {size, orientation_of(exif, chunk_of(file.get(), "XMP "))};
}

Image decode_webp(Bytes bytes, const std::string& origin) {
    Image image = blank_image(size_of(bytes, origin));
    const WebPData data{bytes.data(), bytes.size()};
    WebPAnimDecoderOptions options;
    if (!WebPAnimDecoderOptionsInit(&options)) throw Error(ExitCode::internal, "libwebp is another version");
    options.color_mode = MODE_RGBA;
    const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(WebPAnimDecoderNew(&data, &options),
                                                                               WebPAnimDecoderDelete);
    WebPAnimInfo info{};
    std::uint8_t* canvas = nullptr;
    int time = 0;
    if (!decoder || !WebPAnimDecoderGetInfo(decoder.get(), &info) ||
        static_cast<int>(info.canvas_width) != image.width || static_cast<int>(info.canvas_height) != image.height ||
        !WebPAnimDecoderGetNext(decoder.get(), &canvas, &time))
        throw_damaged(origin, form, "damaged or cut off");
    for (std::size_t i = 0; i < image.pixels_HWC.size(); i += 3, canvas += 4)
        std::copy_n(canvas, 3, image.pixels_HWC.data() + i);
    return image;
}

}    // namespace blip

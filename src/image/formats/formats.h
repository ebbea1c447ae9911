// One reader for each form of pictures; picture.cpp chooses among them by the first bytes. Internal to the image layer.
// Each gives the pixels that Pillow's Image.open(file).convert('RGB') does, or throws Error(bad_data) that names origin
// where the file is damaged, cut off, or of a rare kind which is not read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "blip/image/image.h"

namespace blip {

using Bytes = std::span<const std::uint8_t>;

struct PictureHeader {
    ImageSize size;         // of what is decoded
    int orientation = 1;    // EXIF's, 1 to 8: how the decoded picture is to be turned
};

[[noreturn]] void throw_damaged(const std::string& origin, std::string_view form, std::string_view reason);
// Of a kind that is not read here. remedy: what else can be done.
[[noreturn]] void throw_unsupported(const std::string& origin, std::string_view form, std::string_view kind);
// Refuses what no picture has, before memory is asked for.
ImageSize checked_size(std::int64_t width, std::int64_t height, const std::string& origin, std::string_view form);
// Black.
Image blank_image(ImageSize size);

PictureHeader jpeg_header(Bytes bytes, const std::string& origin);
PictureHeader png_header(Bytes bytes, const std::string& origin);
PictureHeader webp_header(Bytes bytes, const std::string& origin);
PictureHeader gif_header(Bytes bytes, const std::string& origin);
PictureHeader bmp_header(Bytes bytes, const std::string& origin);
PictureHeader tiff_header(Bytes bytes, const std::string& origin);
// decode_jpeg is in jpeg.h
Image decode_png(Bytes bytes, const std::string& origin);
Image decode_webp(Bytes bytes, const std::string& origin);
Image decode_gif(Bytes bytes, const std::string& origin);
Image decode_bmp(Bytes bytes, const std::string& origin);
Image decode_tiff(Bytes bytes, const std::string& origin);

// Of an EXIF block (it begins with a TIFF header), else of an XMP packet, else 1.
int orientation_of(Bytes exif, Bytes xmp);
Image turned(Image image, int orientation);

// round(a * b / 255) for bytes
inline int multiply_255(int a, int b) {
    const int product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}
// Light that ink leaves, as Pillow counts: key is black's.
inline std::uint8_t light_of(int ink, int key) {
    const int light = 255 - key - multiply_255(ink, 255 - key);
    return static_cast<std::uint8_t>(light < 0 ? 0 : light);
}

}    // namespace blip

// See picture.h.
#include "blip/image/picture.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/image/jpeg.h"
#include "src/image/formats/formats.h"

namespace blip {
namespace {

using namespace std::string_view_literals;

struct Form {
    PictureHeader (*header)(Bytes, const std::string&);
    Image (*decode)(Bytes, const std::string&);
};
// By PictureKind.
constexpr Form forms[] = {{},
                          {jpeg_header, decode_jpeg},
                          {png_header, decode_png},
                          {webp_header, decode_webp},
                          {gif_header, decode_gif},
                          {bmp_header, decode_bmp},
                          {tiff_header, decode_tiff}};

const Form& form_of(Bytes bytes, const std::string& origin) {
    const PictureKind kind = picture_kind(bytes);
    if (kind != PictureKind::none) return forms[static_cast<std::size_t>(kind)];
    throw Error(
        ExitCode::bad_data,
        bytes.empty()
            ? fmt::format("{}: the file is empty", origin)
            : fmt::format("{}: none of JPEG, PNG, WebP, GIF, BMP and TIFF, by its first bytes; save it as one of "
                          "them",
                          origin));
}

}    // namespace

PictureKind picture_kind(std::span<const std::uint8_t> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (text.starts_with("\xFF\xD8\xFF"sv)) return PictureKind::jpeg;
    if (text.starts_with("\x89PNG\r\n\x1A\n"sv)) return PictureKind::png;
    if (text.starts_with("RIFF"sv) && text.substr(std::min<std::size_t>(8, text.size())).starts_with("WEBPVP8"sv))
        return PictureKind::webp;
    if (text.starts_with("GIF87a"sv) || text.starts_with("GIF89a"sv)) return PictureKind::gif;
    for (const auto start : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
        if (text.starts_with(start)) return PictureKind::tiff;
    // "BM" begins texts, too: the length of the header behind it is one of few
    if (text.starts_with("BM"sv) && text.size() >= 18 && text.substr(15, 3) == "\0\0\0"sv &&
        "\x0C\x28\x34\x38\x40\x6C\x7C"sv.find(text[14]) != text.npos)
        return PictureKind::bmp;
    return PictureKind::none;
}

PictureKind picture_kind_of_file(const std::filesystem::path& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::array<std::uint8_t, 18> start{};
    const ssize_t count = file ? ::read(file.get(), start.data(), start.size()) : -1;
    if (count < 0)
        throw Error(errno == ENOENT ? ExitCode::missing_input : ExitCode::io, "cannot read {}: {}", path.string(),
                    std::strerror(errno));
    return picture_kind(std::span(start).first(static_cast<std::size_t>(count)));
}

bool has_picture_name(const std::filesystem::path& path) {
    std::string ending = path.extension().string();
    for (char& c : ending)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    static constexpr std::string_view endings[] = {
        ".jpg",  ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".heic",
        ".heif", ".avif", ".jxl", ".jp2",  ".j2k", ".tga",  ".ppm",  ".pgm", ".pbm", ".pnm", ".ico", ".psd"};
    return std::find(std::begin(endings), std::end(endings), ending) != std::end(endings);
}

ImageSize picture_size(std::span<const std::uint8_t> bytes, const std::string& origin) {
    return form_of(bytes, origin).header(bytes, origin).size;
}

Image decode_picture(std::span<const std::uint8_t> bytes, const std::string& origin, ExifOrientation orientation) {
    const Form& form = form_of(bytes, origin);
    Image image = form.decode(bytes, origin);
    if (orientation == ExifOrientation::ignored) return image;
    return turned(std::move(image), form.header(bytes, origin).orientation);
}

Image decode_picture_file(const std::filesystem::path& path, ExifOrientation orientation) {
    const std::string content = read_regular_file(path, max_picture_file_bytes);
    return decode_picture({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}, path.string(),
                          orientation);
}

}    // namespace blip

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
#include "blip/image/png.h"

namespace blip {
namespace {

constexpr std::array<std::uint8_t, 3> jpeg_start = {0xFF, 0xD8, 0xFF};
constexpr std::array<std::uint8_t, 8> png_start = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

bool starts_with(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t> start) {
    return bytes.size() >= start.size() && std::equal(start.begin(), start.end(), bytes.begin());
}

}    // namespace

PictureKind picture_kind(std::span<const std::uint8_t> bytes) {
    if (starts_with(bytes, jpeg_start)) return PictureKind::jpeg;
    return starts_with(bytes, png_start) ? PictureKind::png : PictureKind::none;
}

PictureKind picture_kind_of_file(const std::filesystem::path& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::array<std::uint8_t, png_start.size()> start{};
    const ssize_t count = file ? ::read(file.get(), start.data(), start.size()) : -1;
    if (count < 0)
        throw Error(errno == ENOENT ? ExitCode::missing_input : ExitCode::io,
                    fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
    return picture_kind(std::span(start).first(static_cast<std::size_t>(count)));
}

Image decode_picture_file(const std::filesystem::path& path) {
    const std::string content = read_regular_file(path, max_picture_file_bytes);
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
    switch (picture_kind(bytes)) {
        case PictureKind::jpeg:
            return decode_jpeg(bytes, path.string());
        case PictureKind::png:
            return decode_png(bytes, path.string());
        case PictureKind::none:
            break;
    }
    throw Error(ExitCode::bad_data,
                bytes.empty() ? fmt::format("{}: the file is empty", path.string())
                              : fmt::format("{}: neither a JPEG nor a PNG, by its first bytes", path.string()));
}

}    // namespace blip

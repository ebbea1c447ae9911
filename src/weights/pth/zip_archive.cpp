// See zip_archive.h.
#include "src/weights/pth/zip_archive.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

constexpr std::uint64_t piece_bytes = std::uint64_t{1} << 20;
// What deflate can make of one byte; an entry that promises more is made to fill memory.
constexpr std::uint64_t max_inflation = 1032;

[[noreturn]] void bad(const std::string& file, const std::string& what) {
    throw Error(ExitCode::bad_data, "{}: {}", file, what);
}

// zip_open's error code, as a message. (Damaged directories give any code, that of absent files, too.)
[[noreturn]] void cannot_open(const std::string& file, zip_error_t& error) {
    const int code = zip_error_code_zip(&error), system_code = zip_error_code_system(&error);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (code == ZIP_ER_OPEN || (code == ZIP_ER_READ && system_code != 0)) {    // without one: beyond the end
        throw Error(ExitCode::io, "cannot read {}: {}", file, text);
    }
    bad(file,
        fmt::format("its zip directory is missing or damaged ({}): the file is cut short or only partly downloaded; "
                    "fetch it again",
                    text));
}

// source: made with this error, which goes too.
zip_t* open_source(zip_source_t* source, zip_error_t& error, const std::string& file) {
    zip_t* archive = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error);
    if (archive == nullptr) {
        if (source != nullptr) zip_source_free(source);
        cannot_open(file, error);
    }
    zip_error_fini(&error);
    return archive;
}

}    // namespace

ZipArchive::ZipArchive(zip* archive, std::string file) : file_(std::move(file)), archive_(archive, zip_discard) {
    const zip_int64_t count = zip_get_num_entries(archive, 0);
    for (zip_int64_t i = 0; i < count; ++i) {
        zip_stat_t stat;
        const auto index = static_cast<zip_uint64_t>(i);
        if (zip_stat_index(archive, index, ZIP_FL_ENC_RAW, &stat) != 0 || (stat.valid & ZIP_STAT_SIZE) == 0 ||
            (stat.valid & ZIP_STAT_NAME) == 0 || (stat.valid & ZIP_STAT_COMP_SIZE) == 0) {
            bad(file_, fmt::format("entry {} of its zip directory is damaged: {}", i, zip_strerror(archive)));
        }
        if (stat.comp_size < stat.size / max_inflation) {
            bad(file_, fmt::format("'{}' cannot hold the {} bytes that it promises", printable(stat.name), stat.size));
        }
        if (!entries_.emplace(stat.name, ZipEntry{index, stat.size}).second) {
            bad(file_, fmt::format("'{}' is there twice", printable(stat.name)));
        }
    }
}

ZipArchive ZipArchive::open(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
        throw Error(ExitCode::missing_input, "{} does not exist", path.string());
    }
    zip_error_t error;
    zip_error_init(&error);
    return {open_source(zip_source_file_create(path.c_str(), 0, -1, &error), error, path.string()), path.string()};
}

ZipArchive ZipArchive::of_memory(std::span<const std::byte> bytes, const std::string& name) {
    zip_error_t error;
    zip_error_init(&error);
    return {open_source(zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error), error, name), name};
}

void ZipArchive::read(const std::string& name, std::uint64_t begin, std::uint64_t end,
                      const std::function<void(std::span<const std::byte>)>& sink) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) bad(file_, fmt::format("it has no entry '{}'", printable(name)));
    const std::uint64_t size = found->second.bytes;
    const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> reader(
        zip_fopen_index(archive_.get(), found->second.index, 0), zip_fclose);
    if (!reader) {
        bad(file_, fmt::format("'{}' cannot be read: {}", printable(name), zip_strerror(archive_.get())));
    }
    const std::unique_ptr<std::byte[]> piece(new std::byte[piece_bytes]);
    // The bytes before begin, those wanted, those behind: each in whole pieces. The one beyond the end shows entries
    // that are longer than promised, and makes libzip compare the CRC.
    std::uint64_t at = 0;
    while (at <= size) {
        const std::uint64_t stop = at < begin ? begin : at < end ? end : size + 1;
        const std::uint64_t wanted = std::min(piece_bytes, stop - at);
        std::uint64_t got = 0;
        while (got < wanted) {
            const zip_int64_t count = zip_fread(reader.get(), piece.get() + got, wanted - got);
            if (count < 0)
                bad(file_, fmt::format("'{}' is damaged: {}", printable(name), zip_file_strerror(reader.get())));
            if (count == 0) break;
            got += static_cast<std::uint64_t>(count);
        }
        if (at >= begin && at < end && got == wanted) sink({piece.get(), got});
        at += got;
        if (got < wanted) break;
    }
    if (at != size) bad(file_, fmt::format("'{}' is damaged: {} bytes instead of {}", printable(name), at, size));
}

std::vector<char> ZipArchive::read_whole(const std::string& name, std::uint64_t limit_bytes) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) bad(file_, fmt::format("it has no entry '{}'", printable(name)));
    const std::uint64_t size = found->second.bytes;
    if (size > limit_bytes) {
        bad(file_, fmt::format("'{}' has {} bytes, at most {} are read", printable(name), size, limit_bytes));
    }
    std::vector<char> whole;
    whole.reserve(size);
    read(name, 0, size, [&](std::span<const std::byte> piece) {
        const auto* bytes = reinterpret_cast<const char*>(piece.data());
        whole.insert(whole.end(), bytes, bytes + piece.size());
    });
    return whole;
}

}    // namespace blip

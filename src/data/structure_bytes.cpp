// See structure_bytes.h.
#include "src/data/structure_bytes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "blip/base/error.h"

namespace blip {

std::uint32_t lookup3(std::span<const std::byte> bytes) {
    using std::rotl;
    std::uint32_t a = 0xdeadbeefU + static_cast<std::uint32_t>(bytes.size()), b = a, c = a;
    // up to twelve bytes as three numbers, zeros behind them
    const auto add = [&](std::span<const std::byte> part) {
        std::uint32_t words[3] = {};
        for (std::size_t i = 0; i < part.size(); ++i)
            words[i / 4] |= std::to_integer<std::uint32_t>(part[i]) << (8 * (i % 4));
        a += words[0];
        b += words[1];
        c += words[2];
    };
    if (bytes.empty()) return c;
    for (; bytes.size() > 12; bytes = bytes.subspan(12)) {
        add(bytes.first(12));
        a = (a - c) ^ rotl(c, 4), c += b;
        b = (b - a) ^ rotl(a, 6), a += c;
        c = (c - b) ^ rotl(b, 8), b += a;
        a = (a - c) ^ rotl(c, 16), c += b;
        b = (b - a) ^ rotl(a, 19), a += c;
        c = (c - b) ^ rotl(b, 4), b += a;
    }
    add(bytes);
    c = (c ^ b) - rotl(b, 14);
    a = (a ^ c) - rotl(c, 11);
    b = (b ^ a) - rotl(a, 25);
    c = (c ^ b) - rotl(b, 16);
    a = (a ^ c) - rotl(c, 4);
    b = (b ^ a) - rotl(a, 14);
    c = (c ^ b) - rotl(b, 24);
    return c;
}

std::span<const std::byte> Fields::take(std::uint64_t count) {
    if (count > left()) throw BadStructure("a structure ends too early");
    at_ += static_cast<std::size_t>(count);
    return bytes_.subspan(at_ - static_cast<std::size_t>(count), static_cast<std::size_t>(count));
}

std::uint64_t Fields::number(int bytes) {
    std::uint64_t value = 0;
    int shift = 0;
    for (const std::byte byte : take(static_cast<std::uint64_t>(bytes))) {
        value |= std::to_integer<std::uint64_t>(byte) << shift;
        shift += 8;
    }
    return value;
}

std::string Fields::text(std::uint64_t bytes) {
    const auto part = take(bytes);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
}

void Fields::expect(std::string_view mark) {
    if (text(mark.size()) != mark) throw BadStructure(fmt::format("'{}' is not where it should be", mark));
}

void read_exactly(int fd, std::uint64_t place, std::span<std::byte> bytes, const std::string& name) {
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t got = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(place + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            throw Error(ExitCode::io,
                        fmt::format("{}: reading failed: {}", name, std::generic_category().message(errno)));
        if (got == 0) throw Error(ExitCode::bad_data, fmt::format("{}: the file is truncated; make it again", name));
        done += static_cast<std::size_t>(got);
    }
}

std::vector<std::byte> StructureFile::read(std::uint64_t place, std::uint64_t bytes) {
    if (place > file_bytes_ || bytes > file_bytes_ - place) throw BadStructure("a structure lies outside of the file");
    if (bytes > left_bytes_) throw BadStructure("the structures are too large, or lead in circles");
    left_bytes_ -= bytes;
    std::vector<std::byte> content(static_cast<std::size_t>(bytes));
    read_exactly(fd_, place, content, name_);
    return content;
}

std::vector<std::byte> StructureFile::read_checked(std::uint64_t place, std::uint64_t bytes) {
    std::vector<std::byte> content = read(place, bytes);
    if (content.size() < 4) throw BadStructure("a structure ends too early");
    const std::span all(content);
    const std::uint64_t stored = Fields(all.last(4)).number(4);
    if (stored != lookup3(all.first(all.size() - 4))) throw BadStructure("a structure's checksum is wrong");
    content.resize(content.size() - 4);
    return content;
}

}    // namespace blip

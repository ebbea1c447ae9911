// A zip file through libzip: a table of its entries, and their bytes in pieces with the CRC checked at each entry's end
// (LibTorch's own reader takes flipped bits). Free of LibTorch. Used by pth_file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct zip;

namespace blip {

struct ZipEntry {
    std::uint64_t index = 0;
    std::uint64_t bytes = 0;    // unpacked, as the directory says
};

// Not for several threads at a time. Errors: missing_input, io, bad_data, naming the file and the entry.
class ZipArchive {
  public:
    static ZipArchive open(const std::filesystem::path& path);
    // bytes must outlive it; name is what messages call it.
    static ZipArchive of_memory(std::span<const std::byte> bytes, const std::string& name);

    const std::map<std::string, ZipEntry>& entries() const { return entries_; }
    // Hands over the entry's bytes [begin, end) in pieces of 1 MiB but for the last, then reads the rest, so that the
    // CRC is checked, which throws at the end. A packed entry that gives more or less than the directory says throws.
    void read(const std::string& name, std::uint64_t begin, std::uint64_t end,
              const std::function<void(std::span<const std::byte>)>& sink) const;
    // The whole of a small entry; bad_data if it is larger than limit_bytes.
    std::vector<char> read_whole(const std::string& name, std::uint64_t limit_bytes) const;

  private:
    ZipArchive(zip* archive, std::string file);

    std::string file_;
    std::shared_ptr<zip> archive_;
    std::map<std::string, ZipEntry> entries_;
};

}    // namespace blip

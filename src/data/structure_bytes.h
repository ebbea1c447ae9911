// Pieces of a file's structure, read with every place and length checked, and taken apart field by field. What
// hdf5_structure.cpp and hdf5_heap.cpp stand on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace blip {

// What is wrong with a structure; the reader of the file adds its name.
struct BadStructure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The address that stands for "nothing there".
inline constexpr std::uint64_t no_address = ~std::uint64_t{0};

// Bob Jenkins' lookup3 (hashlittle, 2006), the checksum of HDF5's structures.
std::uint32_t lookup3(std::span<const std::byte> bytes);

// Little-endian fields, one after the other. Reading past the end throws BadStructure.
class Fields {
  public:
    explicit Fields(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::size_t left() const { return bytes_.size() - at_; }
    std::span<const std::byte> take(std::uint64_t count);
    void skip(std::uint64_t count) { take(count); }
    // An unsigned number of 1 to 8 bytes.
    std::uint64_t number(int bytes);
    std::uint64_t address() { return number(8); }
    std::string text(std::uint64_t bytes);
    // Throws BadStructure unless the next bytes are these.
    void expect(std::string_view mark);

  private:
    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
};

// Pieces of an open file, all of them together of a few MiB at most: structures that go in circles, or claim to be
// large, come to an end. Throws BadStructure for a place outside of the file, Error(io) where reading fails.
class StructureFile {
  public:
    StructureFile(int fd, std::uint64_t file_bytes, std::string name)
        : fd_(fd), file_bytes_(file_bytes), name_(std::move(name)) {}

    std::uint64_t file_bytes() const { return file_bytes_; }
    const std::string& name() const { return name_; }
    std::vector<std::byte> read(std::uint64_t place, std::uint64_t bytes);
    // A piece whose last four bytes are the checksum of those before them, which are returned.
    std::vector<std::byte> read_checked(std::uint64_t place, std::uint64_t bytes);

  private:
    int fd_;
    std::uint64_t file_bytes_;
    std::string name_;
    std::uint64_t left_bytes_ = std::uint64_t{1} << 24;
};

// Fills bytes from a place of the file; throws Error: io, or bad_data where the file ends before. name: for messages.
void read_exactly(int fd, std::uint64_t place, std::span<std::byte> bytes, const std::string& name);

}    // namespace blip

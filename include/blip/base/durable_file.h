// Files that are either wholly there or not there at all: temporary name in the same directory, fsync, rename, fsync of
// the directory. Used by checkpoints, best weights, results, coco_pack. After a failed write the temporary file is
// removed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blip/base/handle.h"

namespace blip {

struct FileDescriptorTraits {
    using value_type = int;
    static int invalid() { return -1; }
    static void close(int fd) noexcept;
};
using FileDescriptor = Handle<FileDescriptorTraits>;

// Throws Error(io) "cannot WHAT PATH: reason", with a remedy for a full disk. error: errno's number.
[[noreturn]] void throw_io(const char* what, const std::filesystem::path& path, int error,
                           std::source_location where = std::source_location::current());

// All of the bytes, over short writes and signals; false with errno, some of them written.
bool write_all(int fd, std::string_view bytes);

// Writes a file that appears under its name only at commit(). Errors: Error(io) naming the file and errno's text.
class DurableFile {
  public:
    // Creates path + ".tmp.<pid>". The parent directory must exist; Error(io) where path is a device or a pipe.
    explicit DurableFile(std::filesystem::path path);
    DurableFile(DurableFile&&) = default;
    ~DurableFile();    // removes the temporary file unless committed

    void write(std::span<const std::byte> bytes);    // all of it, retrying short writes
    void write(std::string_view text);
    int fd() const { return fd_.get(); }
    const std::filesystem::path& temporary_path() const { return temporary_; }
    std::uint64_t written_bytes() const { return written_; }
    // fsync, close, rename over path, fsync of the directory.
    void commit();

  private:
    std::filesystem::path path_;
    std::filesystem::path temporary_;
    FileDescriptor fd_;
    std::uint64_t written_ = 0;
    bool committed_ = false;
};

// The whole content at once.
void write_file_durably(const std::filesystem::path& path, std::string_view content);
// fsync of a directory, so that renames and removals in it last.
void sync_directory(const std::filesystem::path& directory);
// Creates what is missing of a folder's path, so that it lasts: what is written durably into a folder is lost with the
// folder's own name. Errors: Error(io) naming the folder.
void make_folders(const std::filesystem::path& folder);
// fsync of a finished file and its rename; for files that a library wrote (HDF5). Errors: as of DurableFile.
void publish_file(const std::filesystem::path& temporary, const std::filesystem::path& path);
// Throws Error(usage) where a file that is written would replace one of those that are read.
void check_not_read(const std::filesystem::path& written, const std::vector<std::filesystem::path>& read);
// The whole file. Errors: missing_input if absent, io otherwise, naming the file.
std::string read_file(const std::filesystem::path& path);
// The same; look is called with the first bytes (at most 4096, all of a shorter file), and what it throws spares
// reading the rest.
std::string read_file(const std::filesystem::path& path, const std::function<void(std::string_view)>& look);
// The same where a pipe or a device would be a mistake, or somebody's trap. Errors: bad_data too, if it is not regular
// or longer than max_bytes.
std::string read_regular_file(const std::filesystem::path& path, std::size_t max_bytes);
// Of a regular file the first `count` bytes, of a shorter one all. Errors: as read_regular_file.
std::string first_bytes(const std::filesystem::path& path, std::size_t count);
// What stands under a path; not_found where nothing is. A disk that cannot say must not make anything look absent: what
// is taken for absent is begun anew, and what is taken for unfinished is removed. Throws Error(io) then, naming the
// path.
std::filesystem::file_type file_type_of(const std::filesystem::path& path);
// A regular file that begins as HDF5's do; what cannot be read is none.
bool is_hdf5(const std::filesystem::path& path);
// Free bytes for this user on the file system that holds path (or its nearest existing parent).
std::uint64_t free_bytes(const std::filesystem::path& path);

}    // namespace blip

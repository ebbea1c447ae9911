// Writing and reading whole files so that a crash, a full disk or a lost node never leaves a half file under a final
// name.
#include "blip/base/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <source_location>
#include <system_error>

#include "blip/base/error.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void fsync_or_throw(int fd, const fs::path& path) {
    int result = 0;
    do result = ::fsync(fd);
    while (result != 0 && errno == EINTR);
    // A failed fsync may have dropped the pages: the file must never be tried again, only written anew.
    if (result != 0) throw_io("bring to disk", path, errno);
}

FileDescriptor open_to_read(const fs::path& path, int flags) {
    FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
    if (!fd && (errno == ENOENT || errno == ENOTDIR))
        throw Error(ExitCode::missing_input, "no such file: {}", path.string());
    if (!fd) throw_io("open", path, errno);
    return fd;
}

struct stat status_of(const FileDescriptor& fd, const fs::path& path) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) throw_io("read", path, errno);
    return status;
}

// A pipe's other end is not waited for.
std::pair<FileDescriptor, struct stat> open_regular(const fs::path& path) {
    FileDescriptor fd = open_to_read(path, O_NONBLOCK);
    const struct stat status = status_of(fd, path);
    if (!S_ISREG(status.st_mode)) throw Error(ExitCode::bad_data, "{} is not a regular file", path.string());
    return {std::move(fd), status};
}

// A rename would put a file in the place of a device or a pipe, as root even of /dev/null. What leads to /proc, as
// /dev/stdout does, is another's name, whatever it leads to.
void check_replaceable(const fs::path& path) {
    std::error_code ignored;
    const fs::file_type type = fs::status(path, ignored).type();
    const bool others = fs::is_symlink(path, ignored) && fs::read_symlink(path, ignored).string().starts_with("/proc/");
    if (others || type == fs::file_type::character || type == fs::file_type::block || type == fs::file_type::fifo ||
        type == fs::file_type::socket)
        throw Error(ExitCode::io, "cannot write {}: it is a device or a pipe, which no file may replace; name a file",
                    path.string());
}

// Reads on behind `used` bytes until all of content is filled or the file ends. Returns how much is used then.
std::size_t fill(const FileDescriptor& fd, const fs::path& path, std::string& content, std::size_t used) {
    while (used < content.size()) {
        const ssize_t count = ::read(fd.get(), content.data() + used, content.size() - used);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_io("read", path, errno);
        if (count == 0) break;
        used += static_cast<std::size_t>(count);
    }
    return used;
}

// Pipes and /proc tell no size: until the end, whatever status says. What content holds was read before.
void read_rest(const FileDescriptor& fd, const fs::path& path, const struct stat& status, std::string& content) {
    std::size_t used = content.size();
    const auto told = S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) + 1 : std::size_t{65536};
    content.resize(std::max(told, used + 1));
    while ((used = fill(fd, path, content, used)) == content.size()) content.resize(content.size() * 2);
    content.resize(used);
}

std::string read_all(const FileDescriptor& fd, const fs::path& path, const struct stat& status) {
    std::string content;
    read_rest(fd, path, status, content);
    return content;
}

}    // namespace

void throw_io(const char* what, const fs::path& path, int error, std::source_location where) {
    const char* remedy = error == ENOSPC || error == EDQUOT ? "; free some space or choose another folder" : "";
    throw Error({ExitCode::io, where}, "cannot {} {}: {}{}", what, path.string(),
                std::generic_category().message(error), remedy);
}

void FileDescriptorTraits::close(int fd) noexcept { ::close(fd); }

DurableFile::DurableFile(fs::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp." + std::to_string(::getpid())) {
    check_replaceable(path_);
    // O_EXCL follows no link that somebody put there. A file of that name is of a process that is no more.
    const auto create = [&] { return ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644); };
    fd_ = FileDescriptor(create());
    if (!fd_ && errno == EEXIST && ::unlink(temporary_.c_str()) == 0) fd_ = FileDescriptor(create());
    if (!fd_) throw_io("create", temporary_, errno);
}

DurableFile::~DurableFile() {
    // a moved-from file has no name left and removes nothing
    if (committed_ || temporary_.empty()) return;
    fd_.reset();
    ::unlink(temporary_.c_str());
}

bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count == 0) errno = EIO;
        if (count <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

void DurableFile::write(std::string_view text) {
    if (!write_all(fd_.get(), text)) throw_io("write", temporary_, errno);
    written_ += text.size();
}

void DurableFile::write(std::span<const std::byte> bytes) {
    write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void DurableFile::commit() {
    fsync_or_throw(fd_.get(), temporary_);
    if (::close(fd_.release()) != 0) throw_io("close", temporary_, errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_io("rename to its final name", path_, errno);
    committed_ = true;
    sync_directory(directory_of(path_));
}

void write_file_durably(const fs::path& path, std::string_view content) {
    DurableFile file(path);
    file.write(content);
    file.commit();
}

void sync_directory(const fs::path& directory) {
    const FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_io("open the folder", directory, errno);
    int result = 0;
    do result = ::fsync(fd.get());
    while (result != 0 && errno == EINTR);
    // some network file systems know no fsync of a directory: their rename is durable by itself
    if (result != 0 && errno != EINVAL && errno != ENOTSUP) throw_io("bring to disk the folder", directory, errno);
}

void make_folders(const fs::path& folder) {
    const fs::path parent = directory_of(folder);
    if (folder.empty() || folder == parent) return;
    std::error_code problem;
    const bool was_there = fs::is_directory(folder, problem);
    if (!was_there) {
        make_folders(parent);
        if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) throw_io("create the folder", folder, errno);
        if (!fs::is_directory(folder, problem)) throw_io("create the folder", folder, ENOTDIR);
    }
    try {
        // One that was there may have been made a moment ago by a process that was killed before it could do this.
        sync_directory(parent);
    } catch (const Error&) {
        if (!was_there) throw;    // else most likely other people's folder, which this user may only pass
    }
}

void publish_file(const fs::path& temporary, const fs::path& path) {
    check_replaceable(path);
    {
        const FileDescriptor fd(::open(temporary.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd) throw_io("open", temporary, errno);
        fsync_or_throw(fd.get(), temporary);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw_io("rename to its final name", path, errno);
    sync_directory(directory_of(path));
}

void check_not_read(const fs::path& written, const std::vector<fs::path>& read) {
    std::error_code ignored;
    for (const fs::path& file : read)
        if (!file.empty() && fs::equivalent(written, file, ignored))
            throw Error(ExitCode::usage, "{} would be replaced, and is read as {}: name another file to write",
                        written.string(), file.string());
}

std::string read_file(const fs::path& path) {
    const FileDescriptor fd = open_to_read(path, 0);
    return read_all(fd, path, status_of(fd, path));
}

std::string read_file(const fs::path& path, const std::function<void(std::string_view)>& look) {
    constexpr std::size_t looked_at = 4096;
    const FileDescriptor fd = open_to_read(path, 0);
    std::string content(looked_at, '\0');
    content.resize(fill(fd, path, content, 0));
    look(content);
    if (content.size() == looked_at) read_rest(fd, path, status_of(fd, path), content);
    return content;
}

std::string read_regular_file(const fs::path& path, std::size_t max_bytes) {
    const auto [fd, status] = open_regular(path);
    if (static_cast<std::uint64_t>(status.st_size) > max_bytes)
        throw Error(ExitCode::bad_data, "{} has {} bytes: such a file has {} at most", path.string(), status.st_size,
                    max_bytes);
    return read_all(fd, path, status);
}

std::string first_bytes(const fs::path& path, std::size_t count) {
    std::string content(count, '\0');
    content.resize(fill(open_regular(path).first, path, content, 0));
    return content;
}

fs::file_type file_type_of(const fs::path& path) {
    std::error_code error;
    const fs::file_type type = fs::status(path, error).type();
    if (error == std::errc::filename_too_long) return fs::file_type::not_found;
    if (type == fs::file_type::none)
        throw Error(ExitCode::io, "cannot tell whether {} is there: {}", path.string(), error.message());
    return type;
}

bool is_hdf5(const fs::path& path) {
    try {
        return first_bytes(path, 8) == "\x89HDF\r\n\x1a\n";
    } catch (const Error&) {
        return false;
    }
}

std::uint64_t free_bytes(const fs::path& path) {
    fs::path existing = fs::absolute(path);
    std::error_code ignored;
    while (!fs::exists(existing, ignored) && existing.has_relative_path()) existing = existing.parent_path();
    struct statvfs status {};
    if (::statvfs(existing.c_str(), &status) != 0) throw_io("ask for the free space of", existing, errno);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}    // namespace blip

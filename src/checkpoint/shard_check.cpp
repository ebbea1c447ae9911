// See shard_check.h.
#include "src/checkpoint/shard_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"

namespace blip {

namespace {

// Opens the shard; what is wrong with it so far goes into problem. A pipe in its place must not be waited for.
FileDescriptor open_shard(const std::filesystem::path& directory, const ShardFile& shard,
                          std::optional<std::string>& problem) {
    const std::filesystem::path path = directory / shard.name;
    FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!fd && errno == ENOENT) {
        problem = fmt::format("{} is missing", shard.name);
        return fd;
    }
    // What a disk does not give says nothing of the shard.
    if (!fd || ::fstat(fd.get(), &status) != 0) throw_io("read", path, errno);
    if (!S_ISREG(status.st_mode))
        problem = fmt::format("{} is not a regular file", shard.name);
    else if (static_cast<std::uint64_t>(status.st_size) != shard.bytes)
        problem = fmt::format("{} has {} bytes instead of {}", shard.name, status.st_size, shard.bytes);
    return fd;
}

}    // namespace

std::optional<std::string> shard_size_problem(const std::filesystem::path& directory, const ShardFile& shard) {
    std::optional<std::string> problem;
    open_shard(directory, shard, problem);
    return problem;
}

std::optional<std::string> shard_problem(const std::filesystem::path& directory, const ShardFile& shard) {
    std::optional<std::string> problem;
    const FileDescriptor fd = open_shard(directory, shard, problem);
    if (problem) return problem;
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    Digest digest;
    std::vector<std::byte> buffer(std::size_t{1} << 20);
    for (;;) {
        const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_io("read", directory / shard.name, errno);
        if (count == 0) break;
        digest.add({buffer.data(), static_cast<std::size_t>(count)});
    }
    if (digest.hex() != shard.xxh3) {
        return fmt::format("{} is damaged: its digest is {} instead of {}", shard.name, digest.hex(), shard.xxh3);
    }
    return std::nullopt;
}

}    // namespace blip

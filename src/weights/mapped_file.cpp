// See mapped_file.h.
#include "src/weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "blip/base/bus_error.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"

namespace blip {

MappedFile MappedFile::open(const std::filesystem::path& path) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        const ExitCode code = errno == ENOENT || errno == ENOTDIR ? ExitCode::missing_input : ExitCode::io;
        throw Error(code, "cannot open {}: {}", path.string(), std::generic_category().message(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error(ExitCode::bad_data, "{} is not a regular file", path.string());
    }
    MappedFile file;
    file.size_ = static_cast<std::size_t>(status.st_size);
    if (file.size_ == 0) return file;
    void* memory = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (memory == MAP_FAILED && errno == ENOMEM)
        throw Error(ExitCode::internal, "out of memory (address space, ulimit -v) for reading {} of {} bytes",
                    path.string(), file.size_);
    if (memory == MAP_FAILED) throw_io("read", path, errno);
    file.memory_ = own_mapping(memory, file.size_, path);
    return file;
}

void MappedFile::drop_pages(std::uint64_t begin, std::uint64_t end) const {
    static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    // A fault brings its cached neighbours along, 64 KiB by default.
    constexpr std::uint64_t around = 64 * 1024;
    begin = (begin > around ? begin - around : 0) / page * page;
    end = end + around < size_ ? end + around : size_;
    if (begin >= end) return;
    // Only saves memory: a failure changes nothing.
    (void)::madvise(const_cast<std::byte*>(memory_.get()) + begin, end - begin, MADV_DONTNEED);
}

}    // namespace blip

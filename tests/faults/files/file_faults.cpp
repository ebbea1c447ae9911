// LD_PRELOADed into programs under test: records, fails, delays or cuts short the file operations below one folder, or
// kills the process before one of them. See settings.h for what the environment asks for; tests/faults/*.sh set it.
//
// Records are lines of tab-separated fields in BLIP_FILES_LOG, in the order in which the operations took effect, over
// all threads and processes; written bytes go to BLIP_FILES_LOG.data. power_loss.py reads them:
//     operation  pid  fd  path  second path (rename, link)  offset (-1: the end)  length  place in .data  flags
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <string>

#include "tests/faults/files/settings.h"

namespace {

using blip::test::FileFaults;
using blip::test::Operation;

FileFaults& faults() {
    static FileFaults& instance = *new FileFaults;    // used until the last moment of the process: never destroyed
    return instance;
}

template <class Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// Runs act as an operation that may be recorded and may be made to fail; act returns -1 and sets errno, or succeeds.
template <class Act>
auto carry_out(Operation operation, Act&& act) -> decltype(act()) {
    FileFaults& here = faults();
    if (!here.watches(operation)) {
        const auto result = act();
        if (operation.opens()) here.forget(static_cast<std::int64_t>(result));    // the number may have been another's
        return result;
    }
    here.before(operation);    // may wait, may not return
    if (const int error = here.failure_of(operation)) {
        if (operation.name == "close") act();    // closed all the same, as the kernel does
        errno = error;
        return -1;
    }
    const auto hold = here.one_at_a_time();
    here.complete(operation);
    const auto result = act();
    const int error = errno;
    if (result >= 0) here.record(operation, static_cast<std::int64_t>(result));
    errno = error;
    return result;
}

template <class Open>
int open_file(int at, const char* path, int flags, Open&& open) {
    Operation operation{.name = flags & O_CREAT ? "create" : "open", .path = blip::test::absolute(at, path)};
    operation.flags = flags;
    return carry_out(operation, open);
}

ssize_t write_bytes(const char* name, int fd, const void* bytes, std::size_t count, std::int64_t offset,
                    ssize_t (*write)(int, const void*, std::size_t, std::int64_t)) {
    Operation operation{.name = name, .path = faults().path_of(fd), .fd = fd};
    operation.bytes = bytes;
    operation.offset = offset;
    const std::size_t taken = faults().watches(operation) ? faults().shortened(count) : count;
    return carry_out(operation, [&] { return write(fd, bytes, taken, offset); });
}

int with_fd(const char* name, int fd, int (*act)(int)) {
    return carry_out({.name = name, .path = faults().path_of(fd), .fd = fd}, [&] { return act(fd); });
}

template <class Act>
int with_path(const char* name, int at, const char* path, Act&& act) {
    return carry_out({.name = name, .path = blip::test::absolute(at, path)}, act);
}

template <class Act>
int with_paths(const char* name, int from_at, const char* from, int to_at, const char* to, unsigned flags, Act&& act) {
    Operation operation{
        .name = name, .path = blip::test::absolute(from_at, from), .second_path = blip::test::absolute(to_at, to)};
    operation.flags = static_cast<int>(flags);
    return carry_out(operation, act);
}

mode_t mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

}    // namespace

// NOLINTBEGIN: the C library's names and signatures
extern "C" {

#define OPEN(NAME)                                                                                       \
    int NAME(const char* path, int flags, ...) {                                                         \
        va_list arguments;                                                                               \
        va_start(arguments, flags);                                                                      \
        const mode_t mode = mode_of(flags, arguments);                                                   \
        va_end(arguments);                                                                               \
        return open_file(AT_FDCWD, path, flags,                                                          \
                         [&] { return next<int(const char*, int, mode_t)>(#NAME)(path, flags, mode); }); \
    }
OPEN(open)
OPEN(open64)
#define OPENAT(NAME)                                                                                              \
    int NAME(int at, const char* path, int flags, ...) {                                                          \
        va_list arguments;                                                                                        \
        va_start(arguments, flags);                                                                               \
        const mode_t mode = mode_of(flags, arguments);                                                            \
        va_end(arguments);                                                                                        \
        return open_file(at, path, flags,                                                                         \
                         [&] { return next<int(int, const char*, int, mode_t)>(#NAME)(at, path, flags, mode); }); \
    }
OPENAT(openat)
OPENAT(openat64)

// What a stream writes by itself is not seen (log.txt); libstdc++'s file streams call write.
#define FOPEN(NAME)                                                                                    \
    FILE* NAME(const char* path, const char* mode) {                                                   \
        FILE* stream = nullptr;                                                                        \
        const int flags = mode[0] == 'r' ? O_RDONLY : O_CREAT | (mode[0] == 'w' ? O_TRUNC : O_APPEND); \
        open_file(AT_FDCWD, path, flags, [&] {                                                         \
            stream = next<FILE*(const char*, const char*)>(#NAME)(path, mode);                         \
            return stream == nullptr ? -1 : fileno(stream);                                            \
        });                                                                                            \
        return stream;                                                                                 \
    }
FOPEN(fopen)
FOPEN(fopen64)

int closedir(DIR* folder) {
    faults().forget(dirfd(folder));
    return next<int(DIR*)>("closedir")(folder);
}
int fclose(FILE* stream) {
    const int fd = fileno(stream);
    return carry_out({.name = "close", .path = faults().path_of(fd), .fd = fd},
                     [&] { return next<int(FILE*)>("fclose")(stream); });
}
int close(int fd) {
    return with_fd("close", fd, [](int of) { return next<int(int)>("close")(of); });
}
int fsync(int fd) {
    return with_fd("fsync", fd, [](int of) { return next<int(int)>("fsync")(of); });
}
int fdatasync(int fd) {
    return with_fd("fdatasync", fd, [](int of) { return next<int(int)>("fdatasync")(of); });
}

ssize_t write(int fd, const void* bytes, std::size_t count) {
    return write_bytes("write", fd, bytes, count, -2, [](int to, const void* from, std::size_t size, std::int64_t) {
        return next<ssize_t(int, const void*, std::size_t)>("write")(to, from, size);
    });
}
#define PWRITE(NAME)                                                                                                  \
    ssize_t NAME(int fd, const void* bytes, std::size_t count, off_t offset) {                                        \
        return write_bytes("write", fd, bytes, count, offset,                                                         \
                           [](int to, const void* from, std::size_t size, std::int64_t at) {                          \
                               return next<ssize_t(int, const void*, std::size_t, off_t)>(#NAME)(to, from, size, at); \
                           });                                                                                        \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
ssize_t writev(int fd, const iovec* parts, int count) {
    if (faults().path_of(fd).empty()) return next<ssize_t(int, const iovec*, int)>("writev")(fd, parts, count);
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return write(fd, bytes.data(), bytes.size());
}

#define FTRUNCATE(NAME)                                                                        \
    int NAME(int fd, off_t length) {                                                           \
        Operation operation{.name = "truncate", .path = faults().path_of(fd), .fd = fd};       \
        operation.offset = length;                                                             \
        return carry_out(operation, [&] { return next<int(int, off_t)>(#NAME)(fd, length); }); \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)
#define TRUNCATE(NAME)                                                                                   \
    int NAME(const char* path, off_t length) {                                                           \
        Operation operation{.name = "truncate", .path = blip::test::absolute(AT_FDCWD, path)};           \
        operation.offset = length;                                                                       \
        return carry_out(operation, [&] { return next<int(const char*, off_t)>(#NAME)(path, length); }); \
    }
TRUNCATE(truncate)
TRUNCATE(truncate64)

int rename(const char* from, const char* to) {
    return with_paths("rename", AT_FDCWD, from, AT_FDCWD, to, 0,
                      [&] { return next<int(const char*, const char*)>("rename")(from, to); });
}
int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
    return with_paths("rename", from_at, from, to_at, to, flags, [&] {
        return next<int(int, const char*, int, const char*, unsigned)>("renameat2")(from_at, from, to_at, to, flags);
    });
}
int link(const char* from, const char* to) {
    return with_paths("link", AT_FDCWD, from, AT_FDCWD, to, 0,
                      [&] { return next<int(const char*, const char*)>("link")(from, to); });
}
int unlink(const char* path) {
    return with_path("unlink", AT_FDCWD, path, [&] { return next<int(const char*)>("unlink")(path); });
}
int remove(const char* path) {
    return with_path("unlink", AT_FDCWD, path, [&] { return next<int(const char*)>("remove")(path); });
}
int rmdir(const char* path) {
    return with_path("unlink", AT_FDCWD, path, [&] { return next<int(const char*)>("rmdir")(path); });
}
int unlinkat(int at, const char* path, int flags) {
    return with_path("unlink", at, path, [&] { return next<int(int, const char*, int)>("unlinkat")(at, path, flags); });
}
int mkdir(const char* path, mode_t mode) {
    return with_path("mkdir", AT_FDCWD, path, [&] { return next<int(const char*, mode_t)>("mkdir")(path, mode); });
}
int mkdirat(int at, const char* path, mode_t mode) {
    return with_path("mkdir", at, path, [&] { return next<int(int, const char*, mode_t)>("mkdirat")(at, path, mode); });
}
}
// NOLINTEND

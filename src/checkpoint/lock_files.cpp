// See lock_files.h.
#include "src/checkpoint/lock_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>

#include "blip/base/error.h"
#include "blip/base/number.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".run-lock.";
constexpr std::string_view kCandidate = ".run-lock.new.";

double seconds_of(const timespec& time) {
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Calls use(path, name) for each entry. Throws io.
template <class Use>
void for_each_entry(const fs::path& folder, const Use& use) {
    std::error_code problem;
    fs::directory_iterator entries(folder, problem);
    for (; !problem && entries != fs::directory_iterator(); entries.increment(problem))
        use(entries->path(), entries->path().filename().string());
    if (problem) throw Error(ExitCode::io, "cannot list {}: {}", folder.string(), problem.message());
}

}    // namespace

fs::path lock_file(const fs::path& folder, std::int64_t number) {
    return folder / fmt::format("{}{}", kPrefix, number);
}

std::vector<std::int64_t> list_locks(const fs::path& folder) {
    std::vector<std::int64_t> numbers;
    for_each_entry(folder, [&](const fs::path&, const std::string& name) {
        if (!name.starts_with(kPrefix)) return;
        const auto number = number_in<std::int64_t>(std::string_view(name).substr(kPrefix.size()));
        if (number && *number > 0) numbers.push_back(*number);
    });
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

std::optional<LockOnDisk> read_lock(const fs::path& path) {
    const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    if (!fd && errno == ENOENT) return std::nullopt;
    if (!fd || ::fstat(fd.get(), &status) != 0) throw_io("read", path, errno);
    std::string text(4096, '\0');
    const ssize_t count = ::pread(fd.get(), text.data(), text.size(), 0);
    if (count < 0) throw_io("read", path, errno);
    text.resize(static_cast<std::size_t>(count));
    return LockOnDisk{text, LockHolder::from_json(text), seconds_of(status.st_mtim)};
}

LockCandidate::LockCandidate(const fs::path& folder) : text_(LockHolder::self().to_json()) {
    static std::atomic<int> count{0};    // several starters in one process
    path_ = folder / fmt::format("{}{}.{}.{}", kCandidate, host_name(), ::getpid(), count++);
    fd_ = FileDescriptor(::open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644));
    if (!fd_) fail("create");
    if (!write_all(fd_.get(), text_)) fail("write");
    if (::fsync(fd_.get()) != 0) fail("bring to disk");
}

LockCandidate::~LockCandidate() { ::unlink(path_.c_str()); }

double LockCandidate::now_s() const {
    ::futimens(fd_.get(), nullptr);
    struct stat status {};
    ::fstat(fd_.get(), &status);
    return seconds_of(status.st_mtim);
}

bool LockCandidate::become(const fs::path& lock) {
    if (::link(path_.c_str(), lock.c_str()) == 0) return true;
    const int error = errno;
    struct stat status {};    // NFS may lose the answer to what it did
    if (::fstat(fd_.get(), &status) == 0 && status.st_nlink > 1) return true;
    if (error == EEXIST) return false;
    if (error != EPERM && error != ENOTSUP && error != ENOSYS) {
        errno = error;
        fail("link");
    }
    // a file system without links: whoever looks between these two lines judges by the file's time
    FileDescriptor fd(::open(lock.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644));
    if (!fd && errno == EEXIST) return false;
    if (!fd || !write_all(fd.get(), text_)) fail("write");
    fd_ = std::move(fd);
    return true;
}

void LockCandidate::fail(const char* what) const {
    const int error = errno;
    ::unlink(path_.c_str());
    throw_io(fmt::format("{} the run lock", what).c_str(), path_, error);
}

void remove_old_candidates(const fs::path& folder, double now_s, double older_than_s) {
    for_each_entry(folder, [&](const fs::path& path, const std::string& name) {
        struct stat status {};
        if (!name.starts_with(kCandidate) || ::lstat(path.c_str(), &status) != 0) return;
        if (now_s - seconds_of(status.st_mtim) > older_than_s) ::unlink(path.c_str());
    });
}

}    // namespace blip

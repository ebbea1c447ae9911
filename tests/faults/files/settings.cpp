// See settings.h. Calls the kernel directly, so that what it does itself is not seen by file_faults.cpp.
#include "tests/faults/files/settings.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

namespace blip::test {
namespace {

int open_plainly(const std::string& path, int flags) {
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), flags | O_CLOEXEC, 0644));
}

void give_up(const std::string& why) {
    const std::string line = "file_faults: " + why + "\n";
    ::syscall(SYS_write, 2, line.data(), line.size());
    ::_exit(99);
}

std::int64_t error_number(const std::string& word) {
    for (const auto& [name, number] :
         {std::pair{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EACCES", EACCES}, {"EDQUOT", EDQUOT}}) {
        if (word == name) return number;
    }
    char* end = nullptr;
    const long number = std::strtol(word.c_str(), &end, 10);
    if (word.empty() || *end != '\0') give_up("no errno and no number: " + word);
    return number;
}

}    // namespace

std::string absolute(int at, const char* path) {
    if (path == nullptr) return "";
    std::string full = path;
    if (full.empty() || full[0] != '/') {
        char base[PATH_MAX] = ".";
        const std::string link = at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/" + std::to_string(at);
        const ssize_t length = ::readlink(link.c_str(), base, sizeof base - 1);
        if (length > 0) full = std::string(base, static_cast<std::size_t>(length)) + "/" + full;
    }
    std::string normal = std::filesystem::path(full).lexically_normal().string();
    if (normal.size() > 1 && normal.back() == '/') normal.pop_back();
    return normal;
}

std::vector<FileFaults::Rule> FileFaults::rules(const char* variable) {
    std::vector<Rule> found;
    const char* text = std::getenv(variable);
    std::istringstream all(text == nullptr ? "" : text);
    for (std::string one; std::getline(all, one, ';');) {
        std::istringstream fields(one);
        Rule rule;
        std::string value, nth;
        std::getline(fields, rule.operation, ',');
        std::getline(fields, rule.text, ',');
        std::getline(fields, value, ',');
        std::getline(fields, nth, ',');
        rule.value = error_number(value);
        rule.nth = nth.empty() ? 0 : error_number(nth);
        found.push_back(rule);
    }
    return found;
}

bool FileFaults::Rule::applies(const Operation& of) {
    if (of.name != operation) return false;
    const auto fits = [&](const std::string& path) {
        if (text.ends_with('$')) return path.ends_with(text.substr(0, text.size() - 1));
        return path.find(text) != std::string::npos;
    };
    if (!fits(of.path) && !fits(of.second_path)) return false;
    ++seen;
    return nth == 0 || seen == nth;
}

FileFaults::FileFaults() {
    const char* below = std::getenv("BLIP_FILES_BELOW");
    const char* only_rank = std::getenv("BLIP_FILES_RANK");
    const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
    if (below == nullptr || (only_rank != nullptr && std::string(only_rank) != (rank == nullptr ? "0" : rank))) return;
    below_ = absolute(AT_FDCWD, below);
    if (const char* number = std::getenv("BLIP_FILES_KILL")) kill_at_ = std::atoll(number);
    short_writes_ = std::getenv("BLIP_FILES_SHORT") != nullptr;
    failures_ = rules("BLIP_FILES_FAIL");
    pauses_ = rules("BLIP_FILES_PAUSE");
    if (const char* log = std::getenv("BLIP_FILES_LOG")) {
        log_ = open_plainly(log, O_CREAT | O_WRONLY | O_APPEND);
        data_ = open_plainly(std::string(log) + ".data", O_CREAT | O_RDWR | O_APPEND);
        if (log_ < 0 || data_ < 0) give_up(std::string("cannot write ") + log);
    }
}

std::string FileFaults::path_of(int fd) {
    const std::lock_guard lock(guard_);
    return fd >= 0 && static_cast<std::size_t>(fd) < open_.size() ? open_[static_cast<std::size_t>(fd)] : "";
}

void FileFaults::forget(std::int64_t fd) {
    const std::lock_guard lock(guard_);
    if (fd >= 0 && static_cast<std::size_t>(fd) < open_.size()) open_[static_cast<std::size_t>(fd)].clear();
}

bool FileFaults::watches(const Operation& operation) const {
    if (below_.empty()) return false;
    const auto is_below = [&](const std::string& path) {
        return path.starts_with(below_) && (path.size() == below_.size() || path[below_.size()] == '/');
    };
    return is_below(operation.path) || is_below(operation.second_path);
}

void FileFaults::before(const Operation& operation) {
    std::int64_t pause_s = 0;
    {
        const std::lock_guard lock(guard_);
        if (++count_ == kill_at_) ::syscall(SYS_kill, ::getpid(), SIGKILL);
        for (Rule& rule : pauses_) {
            if (rule.applies(operation)) pause_s = rule.value;
        }
    }
    if (pause_s == 0) return;
    const std::string line = "paused before " + std::string(operation.name) + " " + operation.path + "\n";
    append(2, line.data(), line.size());
    timespec left = {pause_s, 0};
    while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

int FileFaults::failure_of(const Operation& operation) {
    const std::lock_guard lock(guard_);
    std::int64_t error = 0;
    for (Rule& rule : failures_) {
        if (rule.applies(operation)) error = rule.value;
    }
    return static_cast<int>(error);
}

std::size_t FileFaults::shortened(std::size_t count) const { return short_writes_ && count > 1 ? count / 2 : count; }

FileFaults::Hold::Hold(FileFaults& faults) : faults_(faults) {
    faults_.order_.lock();
    if (faults_.log_ >= 0) ::flock(faults_.log_, LOCK_EX);
}
FileFaults::Hold::~Hold() {
    if (faults_.log_ >= 0) ::flock(faults_.log_, LOCK_UN);
    faults_.order_.unlock();
}

void FileFaults::complete(Operation& operation) const {
    if (operation.offset != -2) return;
    const bool appends = (::fcntl(operation.fd, F_GETFL) & O_APPEND) != 0;
    operation.offset = appends ? -1 : ::lseek(operation.fd, 0, SEEK_CUR);
}

void FileFaults::record(const Operation& operation, std::int64_t result) {
    const std::int64_t fd = operation.opens() ? result : operation.fd;
    if (operation.name == "close") forget(fd);
    if (operation.opens()) {
        const std::lock_guard lock(guard_);
        const auto place = static_cast<std::size_t>(fd);
        if (open_.size() <= place) open_.resize(place + 1);
        open_[place] = operation.path;
    }
    if (log_ < 0) return;
    std::int64_t place = 0, length = 0;
    if (operation.bytes != nullptr) {
        place = ::lseek(data_, 0, SEEK_END);
        length = result;
        append(data_, operation.bytes, static_cast<std::size_t>(length));
    }
    std::ostringstream line;
    line << operation.name << '\t' << ::getpid() << '\t' << fd << '\t' << operation.path << '\t'
         << operation.second_path << '\t' << operation.offset << '\t' << length << '\t' << place << '\t'
         << operation.flags << '\n';
    const std::string text = line.str();
    append(log_, text.data(), text.size());
}

void FileFaults::append(int fd, const void* bytes, std::size_t count) const {
    const char* from = static_cast<const char*>(bytes);
    while (count > 0) {
        const ssize_t wrote = ::syscall(SYS_write, fd, from, count);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) give_up("cannot write its record");
        from += wrote;
        count -= static_cast<std::size_t>(wrote);
    }
}

}    // namespace blip::test

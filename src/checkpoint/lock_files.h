// The files of a run lock: listed, read, and made whole before one gets its number. Internal to run_lock.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "blip/base/durable_file.h"
#include "src/checkpoint/lock_holder.h"

namespace blip {

std::filesystem::path lock_file(const std::filesystem::path& folder, std::int64_t number);
// Numbers of the locks in the folder, ascending. Throws io.
std::vector<std::int64_t> list_locks(const std::filesystem::path& folder);

struct LockOnDisk {
    std::string text;
    std::optional<LockHolder> holder;    // nullopt: half written or damaged
    double beat_s = 0;                   // when it was renewed, by the file system's clock
};
// nullopt if it is gone. Throws io. Opening it makes NFS ask the server.
std::optional<LockOnDisk> read_lock(const std::filesystem::path& path);

// This starter's lock before it has a number: complete, on disk, removed when it goes. Throws io.
class LockCandidate {
  public:
    explicit LockCandidate(const std::filesystem::path& folder);
    LockCandidate(const LockCandidate&) = delete;
    LockCandidate& operator=(const LockCandidate&) = delete;
    ~LockCandidate();

    // What the file system calls now: hosts' clocks may differ.
    double now_s() const;
    // False if somebody else has that number.
    bool become(const std::filesystem::path& lock);
    FileDescriptor take_descriptor() { return std::move(fd_); }
    const std::string& text() const { return text_; }

  private:
    [[noreturn]] void fail(const char* what) const;

    std::filesystem::path path_;
    std::string text_;
    FileDescriptor fd_;
};

// Candidates that killed starters left, by their age.
void remove_old_candidates(const std::filesystem::path& folder, double now_s, double older_than_s);

}    // namespace blip

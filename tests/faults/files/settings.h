// What file_faults.cpp does to which operation, and the record it keeps. All from the environment:
//   BLIP_FILES_BELOW=/folder          operations on paths below it (and on itself) count; unset: nothing is done
//   BLIP_FILES_RANK=N                 in this rank of an MPI job only
//   BLIP_FILES_LOG=/file              recorded there and in /file.data
//   BLIP_FILES_KILL=N                 SIGKILL before the Nth operation of the process
//   BLIP_FILES_FAIL=op,text,ERRNO[,N] fails operations named op whose path contains text, all or the Nth; several by
//   ';' BLIP_FILES_PAUSE=op,text,SECONDS[,N]   waits before it, having said "paused before op path" on stderr
//   BLIP_FILES_SHORT=1                a write takes half of what it is given (a byte at least)
// Operations: create, open, write, fsync, fdatasync, close, truncate, rename, link, unlink (rmdir too), mkdir.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace blip::test {

struct Operation {
    std::string_view name;
    std::string path{};           // absolute; of an open file: the one it was opened by
    std::string second_path{};    // rename, link
    int fd = -1;
    std::int64_t offset = 0;    // of a write (-1: the end of the file, -2: where the descriptor is); a truncated length
    int flags = 0;
    const void* bytes = nullptr;

    bool opens() const { return name == "create" || name == "open"; }
};

// An absolute path without "." and ".."; at: as openat takes it. Empty for a null path.
std::string absolute(int at, const char* path);

class FileFaults {
  public:
    FileFaults();

    // The path by which a descriptor was opened; empty if that is not below the folder.
    std::string path_of(int fd);
    void forget(std::int64_t fd);
    bool watches(const Operation& operation) const;
    // Counts it; kills or pauses here.
    void before(const Operation& operation);
    // The errno it is to fail with, or 0.
    int failure_of(const Operation& operation);
    std::size_t shortened(std::size_t count) const;

    // Holds off every other watched operation, of any process with the same record.
    class Hold {
      public:
        explicit Hold(FileFaults& faults);
        ~Hold();
        Hold(const Hold&) = delete;

      private:
        FileFaults& faults_;
    };
    Hold one_at_a_time() { return Hold(*this); }
    // Fills in where a write will go.
    void complete(Operation& operation) const;
    // What has just succeeded.
    void record(const Operation& operation, std::int64_t result);

  private:
    struct Rule {
        std::string operation, text;
        std::int64_t value = 0, nth = 0, seen = 0;
        bool applies(const Operation& operation);
    };
    static std::vector<Rule> rules(const char* variable);
    void append(int fd, const void* bytes, std::size_t count) const;

    std::string below_;
    std::int64_t kill_at_ = 0, count_ = 0;
    bool short_writes_ = false;
    int log_ = -1, data_ = -1;
    std::vector<Rule> failures_, pauses_;
    std::mutex order_;    // of the operations
    std::mutex guard_;    // of the tables
    std::vector<std::string> open_;
};

}    // namespace blip::test

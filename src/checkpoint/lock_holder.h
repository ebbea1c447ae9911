// Who holds a run lock, as its file says, and whether that process lives. Internal to run_lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace blip {

struct LockHolder {
    std::string host, boot, pid_namespace;    // which machine, since which boot, and whose process numbers
    std::int64_t pid = 0;
    std::uint64_t pid_start = 0;    // clock ticks after the boot: a reused number has another
    std::string job;                // "Slurm job 123"; empty: none
    std::int64_t restart = 0;       // how often Slurm has started the job again
    std::string since;              // UTC
    bool released = false;

    // This process, now.
    static LockHolder self();
    std::string to_json() const;
    // nullopt if the text is none that to_json made
    static std::optional<LockHolder> from_json(const std::string& text);

    bool same_machine(const LockHolder& other) const;
    // "process 12 on node3 (Slurm job 7) since 2031-01-01T00:00:00Z"
    std::string describe() const;
};

// Where the five characters of "released"'s value stand in the text of to_json: releasing overwrites them in place, as
// a full disk has no room for another file.
std::size_t released_position(const std::string& json);

enum class Life { dead, alive };
// Of a process of this machine. Another one with its number does not count, nor does one that only waits to be reaped.
Life process_life(std::int64_t pid, std::uint64_t start);

}    // namespace blip

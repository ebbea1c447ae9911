// One job at a time per run folder: two that wrote checkpoints into one would remove each other's. Taken by rank 0 of
// the verb train before anything is written, released at its end. A killed job leaves its lock behind; the next one
// tells it from a live one.
//
// The lock is FOLDER/.run-lock.N, which says host, process, batch job and start. It is made whole under another name
// and linked, which exactly one of several starters can do, on NFS too. Releasing marks it; the next holder makes N + 1
// and removes N. As numbers only grow, two that found the same dead holder cannot both succeed it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "blip/comm/communicator.h"

namespace blip {

struct RunLockTimes {
    double beat_s = 10;           // how often the holder renews the file's time
    double dead_after_s = 120;    // without a beat, seen from another host
    double grace_s = 5;           // how long a live process of this host may take to end
};

class RunLock {
  public:
    ~RunLock();    // marks it released
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;

    // Throws Error(io) if another job took the lock meanwhile (this one was stopped or cut off for long), or someone
    // removed it: nothing may be written any more.
    void check() const;
    std::filesystem::path file() const;

  private:
    friend class RunLockTaker;
    struct Impl;
    explicit RunLock(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Who holds the folder's lock, for people; nothing is changed. holder: empty where it was never taken, or released.
// lives: its process does, on this host; elsewhere, it renewed the lock within dead_after_s. Throws io.
struct LockLook {
    std::string holder;
    bool lives = false;
};
LockLook look_at_lock(const std::filesystem::path& folder, const RunLockTimes& times = {});

// One starter's attempts. The holder's death is certain at once if it ran on this host (no such process, or another one
// of that number), or in an earlier start of the same Slurm job; from another host it shows by missing beats.
class RunLockTaker {
  public:
    // folder: exists.
    explicit RunLockTaker(std::filesystem::path folder, RunLockTimes times = {});
    ~RunLockTaker();

    // The lock; or nullptr: not certain yet whether the holder lives, ask again in a while. Throws Error(usage) naming
    // the holder and the remedy if it lives; io. on_lost: called in a thread of the lock's if another job takes it.
    std::unique_ptr<RunLock> attempt(const std::function<void(const std::string&)>& on_lost = {});
    // who holds it, while attempt returns nullptr
    std::string holder() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// On rank 0 the lock, elsewhere nullptr. Waits while it is not certain whether the holder lives, until stop_requested
// (asked on rank 0). Collective; all ranks end with the same AgreedError, with the code `stopped` in that case.
std::unique_ptr<RunLock> take_run_lock(const std::filesystem::path& folder, HostMessages& communicator,
                                       const std::function<void(const std::string&)>& on_lost,
                                       const std::function<bool()>& stop_requested);

}    // namespace blip

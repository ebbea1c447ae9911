// See run_lock.h.
#include "blip/checkpoint/run_lock.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/phase.h"
#include "blip/comm/run_together.h"
#include "src/checkpoint/lock_files.h"
#include "src/checkpoint/lock_holder.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

}    // namespace

struct RunLock::Impl {
    fs::path folder;
    std::int64_t number = 0;
    FileDescriptor fd;
    std::string text;    // of the file, as long as it is held
    RunLockTimes times;
    std::function<void(const std::string&)> on_lost;

    std::mutex mutex;
    std::condition_variable wake;
    bool ending = false;
    std::thread beats;

    // Empty: still ours. What cannot be found out (a server that does not answer) is no loss. The file's text tells,
    // not its number, which is free again once somebody removes the file, nor its inode, which some file systems make
    // up.
    std::string lost() const {
        const fs::path path = lock_file(folder, number);
        try {
            const auto numbers = list_locks(folder);
            const bool succeeded = !numbers.empty() && numbers.back() > number;
            const auto lock = read_lock(succeeded ? lock_file(folder, numbers.back()) : path);
            if (!lock && !succeeded) return fmt::format("{} was removed while this job was running", path.string());
            if (lock && lock->text == text) return "";
            return fmt::format("{} was taken over by {}", folder.string(),
                               lock && lock->holder ? lock->holder->describe() : "another job");
        } catch (const Error&) {
            return "";
        }
    }

    void beat() {
        std::unique_lock guard(mutex);
        const std::chrono::duration<double> pause(times.beat_s);
        while (!wake.wait_for(guard, pause, [&] { return ending; })) {
            ::futimens(fd.get(), nullptr);
            const std::string reason = lost();
            if (reason.empty()) continue;
            if (on_lost) on_lost(reason);
            return;
        }
    }
};

RunLock::RunLock(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
    impl_->beats = std::thread([this] { impl_->beat(); });
}

RunLock::~RunLock() {
    {
        const std::lock_guard guard(impl_->mutex);
        impl_->ending = true;
    }
    impl_->wake.notify_all();
    impl_->beats.join();
    // Should this fail, the next job finds that the process is no more.
    (void)!::pwrite(impl_->fd.get(), "true ", 5, static_cast<off_t>(released_position(impl_->text)));
}

void RunLock::check() const {
    if (const std::string reason = impl_->lost(); !reason.empty())
        throw Error(ExitCode::io, reason + ": this job ends without touching its checkpoints");
}

fs::path RunLock::file() const { return lock_file(impl_->folder, impl_->number); }

struct RunLockTaker::Impl {
    fs::path folder;
    RunLockTimes times;
    LockHolder self = LockHolder::self();
    Clock::time_point start = Clock::now();
    std::optional<double> first_beat_s;    // of the holder, as first seen
    std::string holder;

    enum class Verdict { free, held, unsure };
    std::string why;    // it is free

    double waited_s() const { return std::chrono::duration<double>(Clock::now() - start).count(); }

    Verdict judge(const LockOnDisk& lock, double now_s) {
        if (lock.holder && lock.holder->released) {
            why.clear();
            return Verdict::free;
        }
        holder = lock.holder ? lock.holder->describe() : "a job that left no name";
        if (lock.holder && lock.holder->same_machine(self)) {
            why = "that process is no more";
            if (process_life(lock.holder->pid, lock.holder->pid_start) == Life::dead) return Verdict::free;
            return waited_s() < times.grace_s ? Verdict::unsure : Verdict::held;
        }
        if (lock.holder && !self.job.empty() && lock.holder->job == self.job && lock.holder->restart < self.restart) {
            why = "Slurm has started that job again, as this one";
            return Verdict::free;
        }
        if (!first_beat_s) first_beat_s = lock.beat_s;
        if (*first_beat_s != lock.beat_s) return Verdict::held;    // it beats
        why = fmt::format("nothing was heard of it for {:.0f} s", now_s - lock.beat_s);
        return now_s - lock.beat_s > times.dead_after_s ? Verdict::free : Verdict::unsure;
    }
};

LockLook look_at_lock(const fs::path& folder, const RunLockTimes& times) {
    const std::vector<std::int64_t> numbers = list_locks(folder);
    const auto lock = numbers.empty() ? std::nullopt : read_lock(lock_file(folder, numbers.back()));
    if (!lock || !lock->holder || lock->holder->released) return {};
    const LockHolder& holder = *lock->holder;
    const double now_s = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    return {holder.describe(), holder.same_machine(LockHolder::self())
                                   ? process_life(holder.pid, holder.pid_start) == Life::alive
                                   : now_s - lock->beat_s < times.dead_after_s};
}

RunLockTaker::RunLockTaker(fs::path folder, RunLockTimes times) : impl_(std::make_unique<Impl>()) {
    impl_->folder = std::move(folder);
    impl_->times = times;
}

RunLockTaker::~RunLockTaker() = default;

std::string RunLockTaker::holder() const { return impl_->holder; }

std::unique_ptr<RunLock> RunLockTaker::attempt(const std::function<void(const std::string&)>& on_lost) {
    Impl& impl = *impl_;
    const std::vector<std::int64_t> numbers = list_locks(impl.folder);
    const std::int64_t newest = numbers.empty() ? 0 : numbers.back();
    LockCandidate candidate(impl.folder);
    impl.why.clear();
    if (newest > 0) {
        const auto lock = read_lock(lock_file(impl.folder, newest));
        if (!lock) return nullptr;    // just succeeded by a newer one
        const Impl::Verdict verdict = impl.judge(*lock, candidate.now_s());
        if (verdict == Impl::Verdict::held)
            throw Error(ExitCode::usage,
                        "--output {} is in use by {}: give another --output, or wait for it or end it; if "
                        "it is certainly gone, remove {}",
                        impl.folder.string(), impl.holder, lock_file(impl.folder, newest).string());
        if (verdict == Impl::Verdict::unsure) return nullptr;
    }
    const std::int64_t own = newest + 1;
    if (!candidate.become(lock_file(impl.folder, own))) return nullptr;    // another starter was faster
    // A list that was out of date (NFS) may have led to a number of the past.
    const std::vector<std::int64_t> after = list_locks(impl.folder);
    if (!after.empty() && after.back() > own) {
        ::unlink(lock_file(impl.folder, own).c_str());
        return nullptr;
    }
    for (const std::int64_t number : after)
        if (number < own) ::unlink(lock_file(impl.folder, number).c_str());
    remove_old_candidates(impl.folder, candidate.now_s(), impl.times.dead_after_s);
    if (!impl.why.empty())
        log_info("{} was left by {}: taken over, as {}", impl.folder.string(), impl.holder, impl.why);
    auto lock = std::make_unique<RunLock::Impl>();
    lock->folder = impl.folder;
    lock->number = own;
    lock->text = candidate.text();
    lock->fd = candidate.take_descriptor();
    lock->times = impl.times;
    lock->on_lost = on_lost;
    return std::unique_ptr<RunLock>(new RunLock(std::move(lock)));
}

std::unique_ptr<RunLock> take_run_lock(const fs::path& folder, HostMessages& communicator,
                                       const std::function<void(const std::string&)>& on_lost,
                                       const std::function<bool()>& stop_requested) {
    std::unique_ptr<RunLock> lock;
    std::optional<RunLockTaker> taker;
    for (int round = 0;; ++round) {
        const std::string answer = run_on_first_rank(communicator, [&] {
            if (!taker) taker.emplace(folder);
            lock = taker->attempt(on_lost);
            if (lock) return "taken";
            if (stop_requested())
                throw Error(ExitCode::stopped,
                            "stopped by a signal while waiting to see whether {}, which last used "
                            "--output {}, lives; run the same command again",
                            taker->holder(), folder.string());
            if (round == 4)
                log_info("--output {} was last used by {}: waiting to see whether it lives", folder.string(),
                         taker->holder());
            return "wait";
        });
        if (answer == "taken") return lock;
        beat();    // waiting for another job's lock is no hang of this one
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
}

}    // namespace blip

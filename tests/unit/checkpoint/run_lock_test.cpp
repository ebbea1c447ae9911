// The run lock: who gets it, who is refused with which words, and what a dead holder looks like.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>

#include "blip/base/error.h"
#include "blip/checkpoint/run_lock.h"
#include "src/checkpoint/lock_files.h"
#include "src/checkpoint/lock_holder.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

const RunLockTimes quick{0.05, 60, 0};

std::set<std::string> names_in(const fs::path& directory) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename().string());
    return names;
}
using Names = std::set<std::string>;

void set_age(const fs::path& file, double seconds) {
    fs::last_write_time(
        file, fs::file_time_type::clock::now() -
                  std::chrono::duration_cast<fs::file_time_type::duration>(std::chrono::duration<double>(seconds)));
}

// "taken", "wait", or the refusal
std::string answer_of(RunLockTaker& taker) {
    try {
        return taker.attempt() ? "taken" : "wait";
    } catch (const Error& error) {
        return error.code() == ExitCode::usage ? error.what() : "another error";
    }
}
std::string answer(const fs::path& folder) {
    RunLockTaker taker(folder, quick);
    return answer_of(taker);
}

void leave_lock(const fs::path& folder, const LockHolder& holder, double age_s = 0) {
    write_bytes(folder / ".run-lock.1", holder.to_json());
    set_age(folder / ".run-lock.1", age_s);
}

LockHolder on_other_host() {
    LockHolder holder = LockHolder::self();
    holder.host = "elsewhere";
    return holder;
}

// A process that ended, reaped or not.
pid_t ended_child(bool reaped) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | (reaped ? 0 : WNOWAIT));
    return child;
}

BOOST_AUTO_TEST_SUITE(run_lock)

BOOST_AUTO_TEST_CASE(one_holder_at_a_time_and_numbers_grow) {
    const TempDir dir;
    auto lock = RunLockTaker(dir.path(), quick).attempt();
    BOOST_REQUIRE(lock);
    BOOST_TEST((names_in(dir.path()) == Names{".run-lock.1"}));
    const std::string refusal = answer(dir.path());
    for (const std::string& part : {std::string("is in use by process "), std::to_string(::getpid()), host_name(),
                                    std::string("give another --output"), (dir / ".run-lock.1").string()})
        BOOST_TEST(refusal.find(part) != std::string::npos, refusal << " lacks " << part);
    lock->check();
    lock.reset();
    BOOST_TEST((names_in(dir.path()) == Names{".run-lock.1"}));
    lock = RunLockTaker(dir.path(), quick).attempt();
    BOOST_REQUIRE(lock);
    BOOST_TEST((names_in(dir.path()) == Names{".run-lock.2"}));
    BOOST_TEST(answer(dir.path()).find("is in use by") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_dead_process_of_this_host_holds_nothing) {
    const TempDir dir;
    LockHolder holder = LockHolder::self();
    holder.pid = ended_child(true);
    leave_lock(dir.path(), holder);
    BOOST_TEST(answer(dir.path()) == "taken");
    holder.pid = ended_child(false);    // not reaped yet
    for (const auto& name : names_in(dir.path())) fs::remove(dir / name);
    leave_lock(dir.path(), holder);
    BOOST_TEST(answer(dir.path()) == "taken");
    ::waitpid(static_cast<pid_t>(holder.pid), nullptr, 0);
    // another process with the number of the dead one
    holder = LockHolder::self();
    holder.pid_start -= 1;
    for (const auto& name : names_in(dir.path())) fs::remove(dir / name);
    leave_lock(dir.path(), holder);
    BOOST_TEST(answer(dir.path()) == "taken");
}

BOOST_AUTO_TEST_CASE(a_dying_process_of_this_host_has_a_moment) {
    const TempDir dir;
    leave_lock(dir.path(), LockHolder::self());
    RunLockTaker patient(dir.path(), {1, 60, 0.3});
    BOOST_TEST(answer_of(patient) == "wait");
    std::this_thread::sleep_for(std::chrono::milliseconds(350));
    BOOST_TEST(answer_of(patient).find("is in use by") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_hosts_process_is_known_by_its_beats) {
    const TempDir dir;
    leave_lock(dir.path(), on_other_host());
    RunLockTaker taker(dir.path(), quick);
    BOOST_TEST(answer_of(taker) == "wait");
    BOOST_TEST(taker.holder().find(" on elsewhere") != std::string::npos);
    BOOST_TEST(answer_of(taker) == "wait");
    set_age(dir / ".run-lock.1", -1);    // a beat
    BOOST_TEST(answer_of(taker).find("on elsewhere") != std::string::npos);
    set_age(dir / ".run-lock.1", 61);
    BOOST_TEST(answer(dir.path()) == "taken");
    // the same after a restart of this host, or from a container with process numbers of its own
    for (std::string LockHolder::*member : {&LockHolder::boot, &LockHolder::pid_namespace}) {
        for (const auto& name : names_in(dir.path())) fs::remove(dir / name);
        LockHolder holder = LockHolder::self();
        holder.*member = "other";
        leave_lock(dir.path(), holder);
        BOOST_TEST(answer(dir.path()) == "wait");
        set_age(dir / ".run-lock.1", 61);
        BOOST_TEST(answer(dir.path()) == "taken");
    }
}

BOOST_AUTO_TEST_CASE(an_earlier_start_of_the_same_slurm_job_is_over) {
    const TempDir dir;
    ::setenv("SLURM_JOB_ID", "77", 1);
    LockHolder holder = on_other_host();
    BOOST_TEST(holder.job == "Slurm job 77");
    leave_lock(dir.path(), holder);
    BOOST_TEST(answer(dir.path()) == "wait");    // this start of the job, or a second command in its script
    ::setenv("SLURM_RESTART_COUNT", "1", 1);
    BOOST_TEST(answer(dir.path()) == "taken");
    for (const auto& name : names_in(dir.path())) fs::remove(dir / name);
    holder.job = "Slurm job 78";
    leave_lock(dir.path(), holder);
    BOOST_TEST(answer(dir.path()) == "wait");
    ::unsetenv("SLURM_JOB_ID");
    ::unsetenv("SLURM_RESTART_COUNT");
}

BOOST_AUTO_TEST_CASE(a_damaged_lock_is_judged_by_its_age) {
    for (const std::string text : {"", "{}", "{\"kind\": \"blip_mpi run lock\", \"pid\": -4}", "\x01\x02"}) {
        const TempDir dir;
        write_bytes(dir / ".run-lock.1", text);
        BOOST_TEST(answer(dir.path()) == "wait", text);
        set_age(dir / ".run-lock.1", 61);
        BOOST_TEST(answer(dir.path()) == "taken", text);
    }
}

BOOST_AUTO_TEST_CASE(a_lock_that_is_lost_is_noticed) {
    const TempDir dir;
    std::atomic<int> told{0};
    RunLockTaker taker(dir.path(), quick);
    auto lock = taker.attempt([&](const std::string&) { ++told; });
    BOOST_REQUIRE(lock);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    BOOST_TEST(told == 0);
    lock->check();
    write_bytes(dir / ".run-lock.2", on_other_host().to_json());
    BOOST_CHECK_EXCEPTION(lock->check(), Error, [](const Error& error) {
        return error.code() == ExitCode::io &&
               std::string(error.what()).find("was taken over by process") != std::string::npos;
    });
    for (int i = 0; i < 200 && told == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    BOOST_TEST(told == 1);
    fs::remove(dir / ".run-lock.2");
    fs::remove(dir / ".run-lock.1");
    BOOST_CHECK_THROW(lock->check(), Error);
}

// Its number is free again once somebody removed the file.
BOOST_AUTO_TEST_CASE(a_lock_whose_number_another_job_has_is_lost) {
    const TempDir dir;
    RunLockTaker taker(dir.path(), quick);
    const auto lock = taker.attempt();
    BOOST_REQUIRE(lock);
    const fs::path file = lock->file();
    fs::remove(file);
    write_bytes(file, on_other_host().to_json());
    BOOST_CHECK_EXCEPTION(lock->check(), Error, [](const Error& error) {
        return error.code() == ExitCode::io &&
               std::string(error.what()).find("was taken over by process") != std::string::npos &&
               std::string(error.what()).find("elsewhere") != std::string::npos;
    });
}

BOOST_AUTO_TEST_CASE(it_beats) {
    const TempDir dir;
    const auto lock = RunLockTaker(dir.path(), quick).attempt();
    BOOST_REQUIRE(lock);
    set_age(lock->file(), 50);
    const auto before = fs::last_write_time(lock->file());
    for (int i = 0; i < 200 && fs::last_write_time(lock->file()) == before; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    BOOST_TEST((fs::last_write_time(lock->file()) > before + std::chrono::seconds(40)));
}

// One starter in a process of its own: waits for the go, says W (won) or R (refused), holds what it won until `end`
// closes.
pid_t start_racer(const fs::path& folder, const int go, const int said, const int end) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    char byte = 0;
    (void)!::read(go, &byte, 1);
    std::unique_ptr<RunLock> lock;
    char result = '?';
    try {
        RunLockTaker taker(folder, quick);
        for (int i = 0; !lock && i < 2000; ++i) lock = taker.attempt();
        result = lock ? 'W' : 'N';
    } catch (const Error& error) {
        result = error.code() == ExitCode::usage ? 'R' : 'E';
    }
    (void)!::write(said, &result, 1);
    (void)!::read(end, &byte, 1);
    ::_exit(0);    // without releasing: the next pair finds a dead holder
}

BOOST_AUTO_TEST_CASE(of_two_starters_exactly_one_wins) {
    const TempDir dir;
    for (int pair = 0; pair < 20; ++pair) {
        int go[2], said[2], end[2];
        BOOST_REQUIRE(::pipe(go) == 0 && ::pipe(said) == 0 && ::pipe(end) == 0);
        std::vector<pid_t> racers;
        for (int i = 0; i < 2; ++i) {
            racers.push_back(start_racer(dir.path(), go[0], said[1], end[0]));
        }
        BOOST_REQUIRE(::write(go[1], "gg", 2) == 2);
        std::string results(2, ' ');
        BOOST_REQUIRE(::read(said[0], &results[0], 1) == 1);
        BOOST_REQUIRE(::read(said[0], &results[1], 1) == 1);
        BOOST_TEST((results == "WR" || results == "RW"), "pair " << pair << ": " << results);
        BOOST_REQUIRE(::write(end[1], "ee", 2) == 2);
        for (const pid_t racer : racers) ::waitpid(racer, nullptr, 0);
        for (const int fd : {go[0], go[1], said[0], said[1], end[0], end[1]}) ::close(fd);
        BOOST_TEST(names_in(dir.path()).size() == 1U);
        if (pair % 4 == 3) fs::remove(lock_file(dir.path(), list_locks(dir.path()).back()));    // and with none there
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

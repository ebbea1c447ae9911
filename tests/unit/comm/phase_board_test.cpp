// Memory that the ranks of a host share: both mappings see one slot, strangers' files are refused, no name is left.
#include "src/comm/phase_board.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>

#include "src/comm/hang_report.h"

namespace blip::test {
namespace {

BOOST_AUTO_TEST_SUITE(phase_board)

BOOST_AUTO_TEST_CASE(what_one_mapping_writes_the_other_reads) {
    PhaseBoard made = PhaseBoard::create(3);
    BOOST_REQUIRE(made.shared());
    struct stat facts = {};
    BOOST_REQUIRE(::stat(made.name().c_str(), &facts) == 0);
    BOOST_TEST((facts.st_mode & 0777) == 0600U);
    const PhaseBoard opened = PhaseBoard::open(made.name(), made.token(), 3);
    BOOST_REQUIRE(opened.shared());
    const std::string name = made.name();
    made.remove_name();
    BOOST_TEST(!std::filesystem::exists(name));

    PhaseSlot& slot = made.slot(2);
    slot.rank = 7;
    keep_phase_in(&slot);
    enter_step(1, 41);
    enter_phase(Phase::backward);
    PhaseRow row = read_slot(opened.slot(2));
    BOOST_TEST(row.rank == 7);
    BOOST_TEST(row.pid == ::getpid());
    BOOST_TEST(row.process == "running");
    BOOST_TEST(row.step == 41);
    BOOST_TEST(row.doing == "backward");
    {
        const PhaseWait wait("an operation whose name is longer than the slot has room for, so that it is cut");
        row = read_slot(opened.slot(2));
        BOOST_TEST(row.waiting);
        BOOST_TEST(row.doing ==
                   "backward, waiting for 'an operation whose name is longer than the slot has room for, s'");
    }
    BOOST_TEST(!read_slot(opened.slot(2)).waiting);
    keep_phase_in(nullptr);
    enter_phase(Phase::forward);
    BOOST_TEST(read_slot(opened.slot(2)).doing == "backward");
    BOOST_TEST(read_slot(own_slot()).step == 41);
}

BOOST_AUTO_TEST_CASE(one_rank_reports) {
    const PhaseBoard board = PhaseBoard::create(2);
    BOOST_TEST(board.claim_report(5));
    BOOST_TEST(!board.claim_report(4));
    BOOST_TEST(board.claim_report(5));
}

BOOST_AUTO_TEST_CASE(other_files_are_refused) {
    PhaseBoard made = PhaseBoard::create(2);
    BOOST_TEST(!PhaseBoard::open(made.name(), made.token() + 1, 2).shared());
    BOOST_TEST(!PhaseBoard::open(made.name(), made.token(), 3).shared());    // of another size
    BOOST_TEST(!PhaseBoard::open("/dev/shm/there is no such file", made.token(), 2).shared());
    const std::string link = made.name() + "-link";
    BOOST_REQUIRE(::symlink(made.name().c_str(), link.c_str()) == 0);
    BOOST_TEST(!PhaseBoard::open(link, made.token(), 2).shared());
    ::unlink(link.c_str());
    // whoever gives up leaves no name
    const std::string name = made.name();
    made = PhaseBoard();
    BOOST_TEST(!std::filesystem::exists(name));
}

BOOST_AUTO_TEST_CASE(a_stopped_and_a_dead_process_are_told_apart) {
    const pid_t child = ::fork();
    if (child == 0) {
        for (;;) ::pause();
    }
    PhaseSlot slot;
    slot.pid = child;
    ::kill(child, SIGSTOP);
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
    BOOST_TEST(read_slot(slot).process == "stopped");
    ::kill(child, SIGKILL);
    siginfo_t info = {};
    BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    BOOST_TEST(read_slot(slot).process == "dead");
    ::waitpid(child, &status, 0);
    BOOST_TEST(read_slot(slot).process == "gone");
}

// rank, and whether it runs and waits for others
PhaseRow row_of(int rank, bool waiting, const char* process = "running") {
    PhaseRow row;
    row.rank = rank;
    row.waiting = waiting;
    row.process = process;
    return row;
}

BOOST_AUTO_TEST_CASE(a_rank_that_waits_itself_is_not_called_late_while_another_holds_it_up) {
    using Ranks = std::vector<int>;
    const PhaseRow asks = row_of(1, true), waits = row_of(2, true), stopped = row_of(0, true, "stopped");
    // rank 2 misses rank 0's part of an earlier exchange, rank 1 those of both
    BOOST_TEST(late_ranks({2, 0}, {stopped, asks, waits}, 1) == Ranks{0});
    BOOST_TEST(late_ranks({2}, {stopped, asks, waits}, 1) == Ranks{0});
    BOOST_TEST(late_ranks({}, {stopped, asks, waits}, 1) == Ranks{0});
    // of two that do not wait the one that is awaited
    BOOST_TEST(late_ranks({2}, {row_of(0, false), asks, row_of(2, false)}, 1) == Ranks{2});
    // of rank 3 nothing is known
    BOOST_TEST(late_ranks({2, 3}, {row_of(0, false), asks, waits}, 1) == Ranks{3});
    // all wait, as when ranks do not take the same way
    BOOST_TEST(late_ranks({2}, {row_of(0, true), asks, waits}, 1) == Ranks{2});
    BOOST_TEST(late_ranks({}, {row_of(0, true), asks, waits}, 1) == Ranks{});
}

BOOST_AUTO_TEST_CASE(the_table_marks_who_is_late_and_who_does_not_answer) {
    PhaseRow waits{0, 10, "a", "running", "updating, waiting for 'bucket 0'", 1, 7, 3, 0.1, true};
    PhaseRow stopped{2, 12, "host-b", "stopped", "reading a batch", 1, 6, 12.34, 13, false};
    const std::string expected =
        "\n  rank  host    process           epoch, step  doing                             for"
        "\n  0     a       running           1, 7         updating, waiting for 'bucket 0'  3.0 s"
        "\n  2     host-b  stopped for 13 s  1, 6         reading a batch                   12.3 s  <- late"
        "\n  no answer from rank 1, 3 (late)";
    BOOST_TEST(hang_table({waits, stopped}, 4, {2, 3}) == expected);
    // a process that was just stopped, and one that runs whose watchdog is a little late
    stopped.silent_for_s = 1.98;
    waits.silent_for_s = 1.98;
    const std::string told = hang_table({waits, stopped}, 4, {2, 3});
    BOOST_TEST(told.find(" stopped for 2 s ") != std::string::npos);
    BOOST_TEST(told.find(" running ") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

// See requests.h.
#include "src/comm/mpi/requests.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <set>
#include <thread>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/phase.h"
#include "blip/comm/watchdog.h"

namespace blip {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kOwnPause = 500ms;    // pauses between polls are far shorter
constexpr auto kBeforeAnswers = 100ms;

// idle: since anything last arrived. At first the core is only offered to others, since data that is on its way moves a
// little with every question; then pauses grow with the time, so that a rank that shares our core gets it, and nothing
// is noticed later than by a sixteenth of the wait.
void pause_after(Clock::duration idle) {
    if (idle < 30us) return;
    if (idle < 5ms) {
        std::this_thread::yield();
        return;
    }
    const auto pause = std::clamp<Clock::duration>(idle / 16, 10us, idle < 1s ? 500us : 2ms);
    std::this_thread::sleep_for(pause);
}

[[noreturn]] void fail_late(const std::string& what, const Patience& patience, std::vector<int> awaited) {
    HangFacts facts{std::move(awaited), ""};
    const std::string remark = patience.remark ? patience.remark() : "";
    try {
        if (patience.facts) facts = patience.facts(facts.late);
    } catch (const std::exception& failure) {
        facts.table = fmt::format("\n  (what each rank was doing could not be found out: {})", failure.what());
    }
    const std::string message = fmt::format(
        "rank {} on {} has waited {:g} s for '{}' (--comm-timeout){}{}: a rank hangs, has died, or "
        "needs more time than that.{}",
        patience.rank, host_name(), patience.timeout_s, what, remark,
        facts.late.empty() ? "" : fmt::format("; late: rank {}", fmt::join(facts.late, ", ")), facts.table);
    expect_end(message);
    throw Error(ExitCode::internal, message);
}

}    // namespace

void mpi_check(int code, const char* what, std::source_location where) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
    throw Error({ExitCode::internal, where},
                "MPI failed in '{}': {} (another rank may have died; its message says why)", what,
                length > 0 ? std::string(text, static_cast<std::size_t>(length)) : fmt::format("code {}", code));
}

void poll_until(const std::function<bool()>& reached, const std::string& what, const Patience& patience,
                const std::function<std::vector<int>()>& awaited) {
    if (reached()) return;
    const PhaseWait marked(what);
    auto start = Clock::now();
    auto last_poll = start;
    while (!reached()) {
        beat();
        const auto now = Clock::now();
        // A rank that was itself stopped for a while (a debugger, a suspended job) has no right to call others late.
        if (now - last_poll > kOwnPause) start += now - last_poll;
        last_poll = now;
        if (std::chrono::duration<double>(now - start).count() > patience.timeout_s)
            fail_late(what, patience, awaited ? awaited() : std::vector<int>());
        if (patience.answer && now - start > kBeforeAnswers) patience.answer();
        pause_after(now - start);
    }
}

void MpiRequests::wait(const std::string& what, const Patience& patience) {
    finished_.resize(requests_.size());
    const auto some_finished = [&] {
        int finished = 0;    // MPI_UNDEFINED once none is left
        mpi_check(MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &finished, finished_.data(),
                               MPI_STATUSES_IGNORE),
                  what.c_str());
        all_finished_ = finished == MPI_UNDEFINED;
        return finished != 0;
    };
    all_finished_ = false;
    while (!all_finished_) poll_until(some_finished, what, patience, [this] { return awaited_ranks(); });
    requests_.clear();
    peers_.clear();
}

std::vector<int> MpiRequests::awaited_ranks() const {
    std::set<int> awaited;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
        if (requests_[i] != MPI_REQUEST_NULL && peers_[i] >= 0) awaited.insert(peers_[i]);
    }
    return {awaited.begin(), awaited.end()};
}

}    // namespace blip

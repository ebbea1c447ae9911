// The watchdog ends a main thread that is stuck, tells where it is, and leaves alone one that computes or gets on.
#include "blip/comm/watchdog.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <mutex>
#include <thread>

#include "blip/base/phase.h"

namespace blip::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// The watchdog's margin over --comm-timeout and twice its pulse: within so long it must have spoken.
constexpr auto by_now = 5s;

class Said {
  public:
    void operator()(const std::string& message) {
        const std::lock_guard lock(mutex_);
        text_ += message + "\n";
    }
    std::string text() const {
        const std::lock_guard lock(mutex_);
        return text_;
    }
    bool contains(const char* part) const { return text().find(part) != std::string::npos; }

  private:
    mutable std::mutex mutex_;
    std::string text_;
};

void compute_for(Clock::duration time) {
    const auto end = Clock::now() + time;
    while (Clock::now() < end) {
    }
}

BOOST_AUTO_TEST_SUITE(watchdog)

BOOST_AUTO_TEST_CASE(a_stuck_main_thread_is_told_with_phase_step_and_stack) {
    Said said;
    enter_step(2, 41);
    enter_phase(Phase::reading_batch);
    {
        const Watchdog dog(0.5, [&](const std::string& message) { said(message); });
        std::this_thread::sleep_for(by_now);
    }
    BOOST_TEST_MESSAGE(said.text());
    BOOST_TEST(said.contains("is stuck and is ended"));
    BOOST_TEST(said.contains("--comm-timeout"));
    BOOST_TEST(said.contains("epoch 3, after step 41: reading a batch for "));
    // where this thread is
    BOOST_TEST(said.contains("nanosleep"));
}

BOOST_AUTO_TEST_CASE(who_computes_or_gets_on_is_left_alone_but_not_for_ever) {
    Said said;
    enter_phase(Phase::forward);
    const Watchdog dog(0.5, [&](const std::string& message) { said(message); });
    compute_for(4s);
    const auto end = Clock::now() + 4s;
    while (Clock::now() < end) {
        beat();
        std::this_thread::sleep_for(100ms);
    }
    BOOST_TEST(said.text() == "");
    // Ten timeouts in one phase.
    compute_for(6s);
    BOOST_TEST(said.contains("forward for "));
}

// A driver's call spins while its queue is full.
BOOST_AUTO_TEST_CASE(to_queue_work_on_a_device_is_not_to_compute) {
    Said said;
    const Watchdog dog(0.5, [&](const std::string& message) { said(message); });
    expect_device_steps(true);
    enter_phase(Phase::backward);
    compute_for(by_now);
    expect_device_steps(false);
    BOOST_TEST(said.contains("backward for "));
}

// A library's call that spins for ever is not progress where the process is not to compute.
BOOST_AUTO_TEST_CASE(to_compute_is_no_progress_while_waiting_for_others) {
    Said said;
    const PhaseWait wait("reduce gradient bucket 3 of 7");
    const Watchdog dog(0.5, [&](const std::string& message) { said(message); });
    compute_for(by_now);
    BOOST_TEST(said.contains("waiting for 'reduce gradient bucket 3 of 7' for "));
}

BOOST_AUTO_TEST_CASE(a_way_out_that_hangs_is_cut_short_with_its_message) {
    Said said;
    enter_phase(Phase::saving);
    const Watchdog dog(600, [&](const std::string& message) { said(message); });
    expect_end("another");
    expect_end("");    // taken back
    std::this_thread::sleep_for(6s);
    BOOST_TEST(said.text() == "");
    expect_end("rank 1 waited in vain");
    std::this_thread::sleep_for(4s);
    BOOST_TEST(said.text() == "");
    std::this_thread::sleep_for(2s);
    BOOST_TEST(said.text() == "rank 1 waited in vain\n");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

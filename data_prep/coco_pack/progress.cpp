// See the header.
#include "data_prep/coco_pack/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <utility>

namespace blip {

namespace {

std::atomic<int> caught_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "set from a signal handler");

}    // namespace

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = [](int number) { caught_signal = number; };
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
    std::signal(SIGXFSZ, SIG_IGN);    // ulimit -f: the write fails, as on a full disk
}

void check_signal() {
    if (const int number = caught_signal; number != 0) throw Interrupted{number};
}

Progress::Progress(std::string label, std::int64_t total, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
    if (std::exchange(drawn_, false)) std::fputs("\r\033[K", stderr);
}

double Progress::seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Progress::update(std::int64_t done) {
    check_signal();
    done_ = done;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < (terminal_ ? std::chrono::milliseconds(150) : std::chrono::milliseconds(10000))) return;
    last_ = now;
    const double rate = static_cast<double>(done) / seconds();
    const auto left = static_cast<std::int64_t>(static_cast<double>(total_ - done) / rate);
    const std::string line = fmt::format("{} {}/{} {}, {:.0f} {}/s, {}:{:02d}:{:02d} left", label_, done, total_, unit_,
                                         rate, unit_, left / 3600, left / 60 % 60, left % 60);
    fmt::print(stderr, "{}{}{}", terminal_ ? "\r" : "", line, terminal_ ? "\033[K" : "\n");
    std::fflush(stderr);
    drawn_ = terminal_;
}

std::string Progress::finish() {
    clear();
    const double taken = seconds();
    return fmt::format("{} {} in {:.1f} s, {:.0f} {}/s", done_, unit_, taken, static_cast<double>(done_) / taken,
                       unit_);
}

std::string human_bytes(std::uint64_t bytes) {
    if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
    if (bytes < 10'000'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
    return fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
}

}    // namespace blip

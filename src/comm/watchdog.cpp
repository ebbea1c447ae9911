// See watchdog.h.
#include "blip/comm/watchdog.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/phase.h"
#include "blip/base/process.h"

namespace blip {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = 250ms;
constexpr double kMargin_s = 3;       // the waits' own deadlines come first
constexpr double kComputing = 10;     // so many timeouts for a phase that computes
constexpr double kLastWords_s = 2;    // a full pipe must not keep the process alive
constexpr auto kWayOut = 5s;
constexpr int kMaxFrames = 64;

// The main thread's stack, written by the main thread in a signal handler.
struct Stack {
    void* frames[kMaxFrames];
    std::atomic<int> count{0};
};
Stack stack;

int stack_signal() { return SIGRTMIN + 7; }
void on_stack_signal(int) { stack.count = ::backtrace(stack.frames, kMaxFrames); }

// On a stack apart: what oneDNN generates keeps the address of a buffer in the stack pointer at times, and the kernel
// would write the handler's frame into the heap.
void handle_stack_signal() {
    struct sigaction action = {};
    action.sa_handler = on_stack_signal;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigaction(stack_signal(), &action, nullptr);
}

bool dump_wanted() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR2);
    const timespec at_once{};
    return ::sigtimedwait(&signals, nullptr, &at_once) == SIGUSR2;
}

// "libmpi.so.40+0x123: MPI_Testsome"; the number is what addr2line takes.
std::string describe_frame(void* address) {
    Dl_info info = {};
    if (::dladdr(address, &info) == 0 || info.dli_fname == nullptr) return fmt::format("{}", address);
    const std::string_view file(info.dli_fname);
    std::string text = fmt::format("{}+{:#x}", file.substr(file.rfind('/') + 1),
                                   static_cast<char*>(address) - static_cast<char*>(info.dli_fbase));
    if (info.dli_sname == nullptr) return text;
    int failed = 0;
    const std::unique_ptr<char, void (*)(void*)> plain(abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &failed),
                                                       std::free);
    const std::string name = plain ? plain.get() : info.dli_sname;
    return text + ": " + name.substr(0, name.find('('));
}

// One line a frame; says so where the main thread cannot answer (it is in a system call that nothing interrupts).
std::string stack_of(pthread_t thread) {
    stack.count = 0;
    if (::pthread_kill(thread, stack_signal()) != 0) return "\n  (no stack)";
    for (int i = 0; i < 50 && stack.count == 0; ++i) std::this_thread::sleep_for(10ms);
    const int count = stack.count;
    if (count == 0) return "\n  (no stack: the main thread does not answer, so it is inside the kernel)";
    std::string text;
    // The first two are the handler and what calls handlers.
    for (int i = std::min(2, count - 1); i < count; ++i) text += "\n  " + describe_frame(stack.frames[i]);
    return text;
}

// What expect_end was told.
struct WayOut {
    std::mutex mutex;
    std::string message;    // empty: not on the way out
    Clock::time_point deadline;
};
WayOut way_out;

// The message, once, when its time has come.
std::string overdue_message() {
    const std::lock_guard lock(way_out.mutex);
    return !way_out.message.empty() && Clock::now() > way_out.deadline ? std::exchange(way_out.message, "") : "";
}

std::atomic<bool> device_steps{false};

bool computes(Phase phase) {
    switch (phase) {
        case Phase::starting_mpi:
        case Phase::ending_mpi:
            return false;
        case Phase::forward:
        case Phase::backward:
        case Phase::updating:
        case Phase::between_steps:
            return !device_steps;
        default:
            return true;
    }
}

std::string read_all(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// Its launcher's word for its rank, from the start of its life; empty where it has none.
std::string rank_of(const std::filesystem::path& process) {
    const std::string environment = '\0' + read_all(process / "environ");
    for (const std::string_view name : {"OMPI_COMM_WORLD_RANK=", "PMIX_RANK=", "PMI_RANK=", "SLURM_PROCID="}) {
        const auto at = environment.find('\0' + std::string(name));
        if (at != std::string::npos) return environment.c_str() + at + 1 + name.size();
    }
    return "";
}

// The other ranks of this host while MPI has not started, from /proc, since nobody can be asked: "; stopped: rank 1
// (pid 123)" of the processes that this one's launcher has started, or empty where none is.
std::string absent_siblings() {
    std::string stopped;
    std::error_code problem;
    for (const auto& process : std::filesystem::directory_iterator("/proc", problem)) {
        const std::string pid = process.path().filename().string();
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto stat = process_stat(std::stoll(pid));
        if (!stat || stat->state != 'T' || stat->parent != ::getppid()) continue;
        const std::string rank = rank_of(process.path());
        if (rank.empty()) continue;
        stopped += fmt::format("{}rank {} (pid {})", stopped.empty() ? "; stopped: " : ", ", rank, pid);
    }
    return stopped;
}

std::string who() { return fmt::format("rank {} on {}", launcher_rank(), host_name()); }

}    // namespace

struct Watchdog::State {
    pthread_t main_thread = ::pthread_self();
    std::array<char, 1 << 16> handler_stack;
    CpuProgress cpu;
    std::uint64_t beats = 0;
    double without_progress_s = 0, without_beat_s = 0;
};

Watchdog::Watchdog(double timeout_s, std::function<void(const std::string&)> on_stuck)
    : timeout_s_(timeout_s), on_stuck_(std::move(on_stuck)), state_(std::make_unique<State>()) {
    void* frame = nullptr;
    static_cast<void>(::backtrace(&frame, 1));    // loads what it needs: a signal handler must not
    stack_t apart = {};
    apart.ss_sp = state_->handler_stack.data();
    apart.ss_size = state_->handler_stack.size();
    ::sigaltstack(&apart, nullptr);
    handle_stack_signal();
    own_slot().pid = ::getpid();
    own_slot().rank = launcher_rank();
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);    // signals are for the main thread
    thread_ = std::thread([this] { run(); });
    sigaddset(&before, SIGUSR2);    // but for this one, which the watchdog asks for
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Watchdog::~Watchdog() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    ending_.notify_all();
    thread_.join();
    stack_t none = {};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
}

void Watchdog::run() {
    std::unique_lock lock(mutex_);
    auto last = Clock::now();
    while (!ending_.wait_for(lock, kTick, [this] { return ended_; })) {
        const auto now = Clock::now();
        // Time in which the whole process was stopped does not count.
        look(std::chrono::duration<double>(std::min<Clock::duration>(now - last, 2 * kTick)).count());
        last = now;
    }
}

void Watchdog::look(double passed_s) {
    State& state = *state_;
    PhaseSlot& slot = own_slot();
    slot.pulse_ns = steady_now_ns();
    if (dump_wanted())
        try_for(kLastWords_s, [] { log_notice_text(fmt::format("{}: {}", who(), describe(read_slot(own_slot())))); });
    if (slot.stack_wanted.exchange(0) != 0)
        try_for(kLastWords_s, [thread = state.main_thread] {
            log_notice_text(
                fmt::format("{}, asked by a rank that waits: stack of the main thread:{}", who(), stack_of(thread)));
        });
    if (const std::string message = overdue_message(); !message.empty()) end_with([message] { return message; });
    const bool beaten = slot.beats != state.beats;
    state.beats = slot.beats;
    const bool computed =
        state.cpu.moved() && slot.waiting_since_ns == 0 && computes(static_cast<Phase>(slot.phase.load()));
    state.without_beat_s = beaten ? 0 : state.without_beat_s + passed_s;
    state.without_progress_s = beaten || computed ? 0 : state.without_progress_s + passed_s;
    if (state.without_progress_s < timeout_s_ + kMargin_s && state.without_beat_s < kComputing * timeout_s_) return;
    end_with([thread = state.main_thread, seconds = state.without_beat_s] {
        const bool mpi_starts = own_slot().phase == static_cast<int>(Phase::starting_mpi);
        return fmt::format(
            "{} is stuck and is ended ({:.0f} s without progress, --comm-timeout): {}{}; stack of the "
            "main thread:{}",
            who(), seconds, describe(read_slot(own_slot())), mpi_starts ? absent_siblings() : "", stack_of(thread));
    });
    state.without_progress_s = state.without_beat_s = 0;
}

void Watchdog::end_with(const std::function<std::string()>& message) {
    try_for(kLastWords_s, [this, message] { on_stuck_ ? on_stuck_(message()) : log_error_text(message()); });
    if (!on_stuck_) std::_Exit(static_cast<int>(ExitCode::internal));
}

void try_for(double seconds, const std::function<void()>& work) {
    const auto done = std::make_shared<std::atomic<bool>>(false);
    std::thread([done, work] {
        work();
        *done = true;
    }).detach();
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (!*done && Clock::now() < end) std::this_thread::sleep_for(10ms);
}

void expect_device_steps(bool queued) { device_steps = queued; }

void expect_end(const std::string& message) {
    const std::lock_guard lock(way_out.mutex);
    way_out.message = message;
    way_out.deadline = Clock::now() + kWayOut;
}

void end_process_after(double seconds, int exit_code, const std::string& message) {
    std::thread([seconds, exit_code, message] {
        std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
        try_for(kLastWords_s, [&] { std::fprintf(stderr, "error: %s\n", message.c_str()); });
        std::_Exit(exit_code);
    }).detach();
}

}    // namespace blip

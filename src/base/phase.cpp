// See phase.h.
#include "blip/base/phase.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iterator>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/process.h"

namespace blip {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

PhaseSlot private_slot;
std::atomic<PhaseSlot*> current_slot{&private_slot};
std::atomic<PhaseObserver*> current_observer{nullptr};    // waits are also set by the thread of backward

void write_operation(PhaseSlot& slot, std::string_view operation) {
    char text[PhaseSlot::kOperationBytes] = {};
    std::memcpy(text, operation.data(), std::min(operation.size(), sizeof text - 1));
    for (std::size_t i = 0; i < slot.operation.size(); ++i) {
        std::uint64_t word = 0;
        std::memcpy(&word, text + i * sizeof word, sizeof word);
        slot.operation[i].store(word, relaxed);
    }
}

// Another process may be writing it: only what can be printed is taken over.
std::string read_operation(const PhaseSlot& slot) {
    char text[PhaseSlot::kOperationBytes + 1] = {};
    for (std::size_t i = 0; i < slot.operation.size(); ++i) {
        const std::uint64_t word = slot.operation[i].load(relaxed);
        std::memcpy(text + i * sizeof word, &word, sizeof word);
    }
    std::string operation(text);
    std::replace_if(
        operation.begin(), operation.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return operation;
}

void advance(PhaseSlot& slot) { slot.beats.store(slot.beats.load(relaxed) + 1, relaxed); }

std::string process_state(int pid) {
    const auto stat = process_stat(pid);
    if (!stat) return "gone";
    static constexpr std::pair<char, const char*> names[] = {
        {'T', "stopped"}, {'t', "in a debugger"}, {'D', "in the kernel"}, {'Z', "dead"}, {'X', "dead"}};
    for (const auto& [state, name] : names)
        if (state == stat->state) return name;
    return "running";
}

}    // namespace

const char* phase_name(Phase phase) {
    static constexpr const char* names[] = {
        "starting MPI", "starting up",   "loading weights",     "reading a batch", "forward", "backward",
        "updating",     "between steps", "saving a checkpoint", "captioning",      "scoring", "saving the best weights",
        "ending MPI"};
    const auto index = static_cast<std::size_t>(phase);    // read from memory that others write
    return index < std::size(names) ? names[index] : "unknown";
}

std::int64_t steady_now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

PhaseSlot& own_slot() { return *current_slot.load(relaxed); }

void enter_phase(Phase phase) {
    PhaseSlot& slot = own_slot();
    const std::int64_t now = steady_now_ns();
    slot.phase.store(static_cast<std::int32_t>(phase), relaxed);
    slot.phase_since_ns.store(now, relaxed);
    advance(slot);
    if (PhaseObserver* observer = current_observer.load()) observer->entered(phase, now);
}

void enter_step(std::int64_t epoch, std::int64_t step) {
    PhaseSlot& slot = own_slot();
    slot.epoch.store(static_cast<std::int32_t>(epoch), relaxed);
    slot.step.store(step, relaxed);
    advance(slot);
}

void beat() { advance(own_slot()); }

PhaseWait::PhaseWait(std::string_view operation) {
    PhaseSlot& slot = own_slot();
    const std::int64_t now = steady_now_ns();
    write_operation(slot, operation);
    slot.waiting_since_ns.store(now, relaxed);
    advance(slot);
    if (PhaseObserver* observer = current_observer.load()) observer->wait_begun(operation, now);
}

PhaseWait::~PhaseWait() {
    PhaseSlot& slot = own_slot();
    slot.waiting_since_ns.store(0, relaxed);
    advance(slot);
    if (PhaseObserver* observer = current_observer.load()) observer->wait_ended(steady_now_ns());
}

PhaseScope::PhaseScope(Phase phase) : before_(static_cast<Phase>(own_slot().phase.load(relaxed))) {
    enter_phase(phase);
}

PhaseScope::~PhaseScope() { enter_phase(before_); }

void observe_phases(PhaseObserver* observer) { current_observer.store(observer); }

void keep_phase_in(PhaseSlot* slot) {
    PhaseSlot& from = own_slot();
    PhaseSlot& to = slot != nullptr ? *slot : private_slot;
    if (&from == &to) return;
    to.pid.store(::getpid(), relaxed);
    to.phase.store(from.phase.load(relaxed), relaxed);
    to.epoch.store(from.epoch.load(relaxed), relaxed);
    to.step.store(from.step.load(relaxed), relaxed);
    to.phase_since_ns.store(from.phase_since_ns.load(relaxed), relaxed);
    to.waiting_since_ns.store(0, relaxed);
    to.pulse_ns.store(steady_now_ns(), relaxed);
    to.beats.store(from.beats.load(relaxed) + 1, relaxed);
    current_slot.store(&to, std::memory_order_release);
}

PhaseRow read_slot(const PhaseSlot& slot) {
    PhaseRow row;
    row.rank = slot.rank.load(relaxed);
    row.pid = slot.pid.load(relaxed);    // 0: nobody has said yet
    row.host = host_name();
    row.process = row.pid > 0 ? process_state(row.pid) : "";
    row.epoch = slot.epoch.load(relaxed);
    row.step = slot.step.load(relaxed);
    const std::int64_t now = steady_now_ns(), waiting_since = slot.waiting_since_ns.load(relaxed);
    const auto seconds_since = [now](std::int64_t then) {
        return then == 0 ? 0.0 : std::max(0.0, static_cast<double>(now - then) * 1e-9);
    };
    row.doing = phase_name(static_cast<Phase>(slot.phase.load(relaxed)));
    row.waiting = waiting_since != 0;
    if (row.waiting) row.doing += fmt::format(", waiting for '{}'", read_operation(slot));
    row.doing_for_s = seconds_since(row.waiting ? waiting_since : slot.phase_since_ns.load(relaxed));
    row.silent_for_s = seconds_since(slot.pulse_ns.load(relaxed));
    return row;
}

std::string describe(const PhaseRow& row) {
    const std::string where = row.step < 0 ? "" : fmt::format("epoch {}, after step {}: ", row.epoch + 1, row.step);
    return fmt::format("{}{} for {:.1f} s", where, row.doing, row.doing_for_s);
}

}    // namespace blip

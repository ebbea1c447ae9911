// What this process is doing right now, for those who ask when nothing moves: the watchdog, the other ranks of the host
// (whose slots lie in memory they share, see comm/phase_board.h) and a person. Set by the main thread of every rank;
// costs a few plain stores. One main thread a process, and so one slot, as with the log.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace blip {

enum class Phase : std::int32_t {
    starting_mpi,
    starting,
    loading,
    reading_batch,
    forward,
    backward,
    updating,
    between_steps,
    saving,
    captioning,
    scoring,
    saving_best,
    ending_mpi,
};                                      // names in phase.cpp, in the same order
const char* phase_name(Phase phase);    // "reading a batch"

// One rank's state. Plain memory that processes share: zeroed is valid, nothing in it is a pointer.
struct alignas(128) PhaseSlot {
    static constexpr std::size_t kOperationBytes = 64;

    std::atomic<std::int32_t> pid{0}, rank{0};
    std::atomic<std::int32_t> phase{0}, epoch{-1};    // -1: none yet
    std::atomic<std::int64_t> step{-1};               // steps done, -1: none yet
    std::atomic<std::int64_t> phase_since_ns{0};      // steady clock, one for all processes of a host
    std::atomic<std::int64_t> waiting_since_ns{0};    // 0: not waiting for other ranks or the device
    std::atomic<std::int64_t> pulse_ns{0};            // when its watchdog last ran: old if the process is stopped
    std::atomic<std::uint64_t> beats{0};              // grows whenever the main thread gets on
    std::atomic<std::int32_t> stack_wanted{0};        // another rank asks for the main thread's stack on stderr
    std::array<std::atomic<std::uint64_t>, kOperationBytes / 8> operation{};    // what it waits for; may be torn
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

// A slot as it was at a moment.
struct PhaseRow {
    int rank = 0, pid = 0;
    std::string host;
    std::string process;    // "running", "stopped", "gone" ...: what the kernel says; empty: not known
    std::string doing;      // phase, and what it waits for
    int epoch = -1;         // -1: none yet
    std::int64_t step = -1;
    double doing_for_s = 0;     // since the phase or the wait began
    double silent_for_s = 0;    // since its watchdog last ran
    bool waiting = false;       // for other ranks or the device
};

// ---- set by the main thread ----
void enter_phase(Phase phase);
// epoch and steps done so far
void enter_step(std::int64_t epoch, std::int64_t step);
// The main thread gets on, though in the same phase: the next picture's caption, another look at a request.
void beat();
// Within its life the main thread waits for `operation`.
class PhaseWait {
  public:
    explicit PhaseWait(std::string_view operation);
    ~PhaseWait();
    PhaseWait(const PhaseWait&) = delete;
};
// A phase and then the one before again.
class PhaseScope {
  public:
    explicit PhaseScope(Phase phase);
    ~PhaseScope();
    PhaseScope(const PhaseScope&) = delete;

  private:
    Phase before_;
};

// Is told what is set above as it happens, by the thread that sets it, which must not be kept waiting. Times: steady
// clock. The main thread waits with at most one PhaseWait at a time.
class PhaseObserver {
  public:
    virtual ~PhaseObserver() = default;
    virtual void entered(Phase phase, std::int64_t now_ns) noexcept = 0;    // the phase before ends
    virtual void wait_begun(std::string_view operation, std::int64_t now_ns) noexcept = 0;
    virtual void wait_ended(std::int64_t now_ns) noexcept = 0;
};
// nullptr: nobody. It must live until it is replaced. Called by the main thread.
void observe_phases(PhaseObserver* observer);

// ---- read by anyone ----
PhaseSlot& own_slot();
// From now on the state of this process is kept in `slot` (what it was is copied there); nullptr: in the process' own.
// slot must live until then. Called by the main thread.
void keep_phase_in(PhaseSlot* slot);
std::int64_t steady_now_ns();
PhaseRow read_slot(const PhaseSlot& slot);
// "epoch 1, after step 41: backward for 3.2 s"
std::string describe(const PhaseRow& row);

}    // namespace blip

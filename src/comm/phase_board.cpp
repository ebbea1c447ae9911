// See phase_board.h. A file in /dev/shm rather than MPI's shared windows: those can only be given back collectively,
// and the board must never make a rank wait.
#include "src/comm/phase_board.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <utility>

namespace blip {
namespace {

constexpr std::int64_t kClaimNs = 30'000'000'000;

std::uint64_t random_token() {
    std::uint64_t token = 0;
    if (::getrandom(&token, sizeof token, 0) != sizeof token) return 0;
    return token;
}

void* map(int file, std::size_t bytes) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

}    // namespace

struct PhaseBoard::Head {
    std::atomic<std::uint64_t> token;
    std::atomic<std::int64_t> claimed_ns;
    std::atomic<std::int32_t> reporter;    // rank
};

std::size_t PhaseBoard::bytes_for(int ranks) {
    static_assert(sizeof(Head) <= sizeof(PhaseSlot));
    return sizeof(PhaseSlot) * (1 + static_cast<std::size_t>(ranks));
}

PhaseBoard::PhaseBoard(void* memory, std::string name, std::uint64_t token, int ranks)
    : memory_(memory), name_(std::move(name)), token_(token), ranks_(ranks) {}

PhaseBoard& PhaseBoard::operator=(PhaseBoard&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(name_, other.name_);
    std::swap(token_, other.token_);
    std::swap(ranks_, other.ranks_);
    return *this;
}

// The memory stays mapped to the end of the process: its watchdog may be looking at it.
PhaseBoard::~PhaseBoard() { remove_name(); }

PhaseBoard PhaseBoard::create(int ranks) {
    const std::uint64_t token = random_token();
    const std::string name = fmt::format("/dev/shm/blip_mpi-{}-{:016x}", ::getpid(), token);
    const int file = token == 0 ? -1 : ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return {};
    const std::size_t bytes = bytes_for(ranks);
    // Room is taken now: with none left, a later store would end the process.
    void* memory = ::posix_fallocate(file, 0, static_cast<off_t>(bytes)) == 0 ? map(file, bytes) : nullptr;
    ::close(file);
    if (memory == nullptr) {
        ::unlink(name.c_str());
        return {};
    }
    PhaseBoard board(memory, name, token, ranks);
    board.head().token = token;
    return board;
}

PhaseBoard PhaseBoard::open(const std::string& name, std::uint64_t token, int ranks) {
    const int file = ::open(name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return {};
    struct stat facts = {};
    const bool ours = ::fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_uid == ::geteuid() &&
                      facts.st_size == static_cast<off_t>(bytes_for(ranks));
    void* memory = ours ? map(file, bytes_for(ranks)) : nullptr;
    ::close(file);
    if (memory == nullptr) return {};
    PhaseBoard board(memory, "", token, ranks);
    if (board.head().token != token) return {};
    return board;
}

void PhaseBoard::remove_name() {
    if (!name_.empty()) ::unlink(name_.c_str());
    name_.clear();
}

PhaseSlot& PhaseBoard::slot(int node_rank) const { return static_cast<PhaseSlot*>(memory_)[1 + node_rank]; }

bool PhaseBoard::claim_report(int rank) const {
    std::int64_t claimed = head().claimed_ns;
    const std::int64_t now = steady_now_ns();
    if (claimed != 0 && now - claimed < kClaimNs) return head().reporter == rank;
    if (!head().claimed_ns.compare_exchange_strong(claimed, now)) return false;
    head().reporter = rank;
    return true;
}

}    // namespace blip

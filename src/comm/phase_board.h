// The phase slots of a host's ranks in memory that they share, so that each can say what the others were doing when
// nothing moves any more. Used by hang_report.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "blip/base/phase.h"

namespace blip {

// One mapping of the shared memory: a head, and a slot for each rank of the host.
class PhaseBoard {
  public:
    // A new file in /dev/shm, readable by this user alone, under a name nobody can know before. Not shared, and without
    // a name, where that fails.
    static PhaseBoard create(int ranks);
    // The file that another rank of the host has made. Not shared if that is not the one it made.
    static PhaseBoard open(const std::string& name, std::uint64_t token, int ranks);

    PhaseBoard() = default;
    PhaseBoard(PhaseBoard&& other) noexcept { *this = std::move(other); }
    PhaseBoard& operator=(PhaseBoard&& other) noexcept;
    ~PhaseBoard();

    bool shared() const { return memory_ != nullptr; }
    const std::string& name() const { return name_; }
    std::uint64_t token() const { return token_; }
    // The name goes, the memory stays while a rank has it. Called once all have opened it, and by whoever gives up.
    void remove_name();

    PhaseSlot& slot(int node_rank) const;
    int ranks() const { return ranks_; }
    // The first rank of the host to call it within half a minute gets true, and so it does again.
    bool claim_report(int rank) const;

  private:
    struct Head;
    PhaseBoard(void* memory, std::string name, std::uint64_t token, int ranks);
    static std::size_t bytes_for(int ranks);
    Head& head() const { return *static_cast<Head*>(memory_); }

    void* memory_ = nullptr;
    std::string name_;    // empty once removed, and in those who did not make it
    std::uint64_t token_ = 0;
    int ranks_ = 0;
};

}    // namespace blip

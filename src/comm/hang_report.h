// What every rank of the job was doing when a wait ran out of time: read from the host's board, and asked of ranks of
// other hosts that are waiting as well and so can answer. One rank tells it for all. Used by mpi/communicator.cpp.
#pragma once

#include <mpi.h>

#include <chrono>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "src/comm/mpi/requests.h"
#include "src/comm/phase_board.h"

namespace blip {

class HangReport {
  public:
    // Collective over `world` and `node`, its ranks of one host.
    HangReport(MPI_Comm world, MPI_Comm node, const Patience& patience);
    ~HangReport();
    HangReport(const HangReport&) = delete;

    // Called while this rank waits, by the thread that does: answers ranks of other hosts that ask. Cheap.
    void answer();
    // See HostMessages::hang_facts.
    HangFacts tell(const std::vector<int>& awaited);

  private:
    std::vector<PhaseRow> host_rows() const;
    void share_board();
    // Receives one question or answer, if there is any. True if a rank before this one asks for a report of its own.
    bool take_message(std::map<int, PhaseRow>& rows);
    void ask_other_hosts(std::map<int, PhaseRow>& rows, std::chrono::steady_clock::time_point end);
    // At most so long, and less where time is short anyway.
    std::chrono::steady_clock::time_point in(double seconds) const;
    // Of those on this host that can answer.
    void want_stacks(const std::vector<int>& late, const std::vector<int>& living) const;

    MPI_Comm comm_ = MPI_COMM_NULL, node_ = MPI_COMM_NULL;
    Patience patience_;
    int rank_ = 0, size_ = 1, node_rank_ = 0, node_size_ = 1;
    PhaseBoard board_;
    std::chrono::steady_clock::time_point last_look_{};
    std::list<std::pair<std::string, MPI_Request>> sent_;    // never waited for: whom they are for may be gone
};

// Whom to call late when `own_rank` has run out of time with the parts of `awaited` missing (empty: of anyone). A
// living rank that waits itself is held up like this one, so another is meant where there is one: of the awaited, else
// of all. Those awaited of whom nothing is known stay.
std::vector<int> late_ranks(const std::vector<int>& awaited, const std::vector<PhaseRow>& rows, int own_rank);
// One line a rank under a headline: rank, host, process, where in the run, doing, for how long.
std::string hang_table(const std::vector<PhaseRow>& rows, int size, const std::vector<int>& late);

}    // namespace blip

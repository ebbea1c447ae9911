// MPI calls whose errors throw, and waiting with back-off and a deadline, for any condition and for a set of MPI
// requests. Used throughout the comm layer.
#pragma once

#include <mpi.h>

#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "blip/comm/communicator.h"

namespace blip {

// Every MPI call goes through it: errors are returned (MPI_ERRORS_RETURN) and become blip::Error. Throws
// Error(internal) with MPI's text unless code is MPI_SUCCESS. what: the operation, for the message.
void mpi_check(int code, const char* what, std::source_location where = std::source_location::current());

// How a rank waits.
struct Patience {
    double timeout_s = 0;
    int rank = 0;
    // What follows may be left out. answer: called now and then while waiting. facts: what is known of all ranks, once
    // time has run out, given those whose parts are missing. remark: what else belongs into the message.
    std::function<void()> answer;
    std::function<HangFacts(const std::vector<int>& awaited)> facts;
    std::function<std::string()> remark;
};

// Polls reached() with back-off until it is true. Throws Error(internal) after timeout_s seconds, naming the operation,
// this rank and host, the seconds, who is late as far as it can be told, and what each rank was doing. awaited: the
// ranks whose parts are missing, where that is known.
void poll_until(const std::function<bool()>& reached, const std::string& what, const Patience& patience,
                const std::function<std::vector<int>()>& awaited = {});

class MpiRequests {
  public:
    // start(MPI_Request*) is an MPI call that begins something; its code is checked. peer: the rank that it depends on;
    // all_peers: a collective.
    static constexpr int all_peers = -1;
    template <class Start>
    void add(int peer, const char* what, const Start& start) {
        MPI_Request request = MPI_REQUEST_NULL;
        mpi_check(start(&request), what);
        requests_.push_back(request);
        peers_.push_back(peer);
    }
    bool empty() const { return requests_.empty(); }
    // poll_until all have finished; the deadline counts from the last arrival.
    void wait(const std::string& what, const Patience& patience);

  private:
    std::vector<int> awaited_ranks() const;

    std::vector<MPI_Request> requests_;
    std::vector<int> peers_;
    std::vector<int> finished_;    // scratch of MPI_Testsome
    bool all_finished_ = false;
};

// A collective, from its start (as in MpiRequests::add) to its end.
template <class Start>
void run_collective(const char* what, const Patience& patience, const Start& start) {
    MpiRequests requests;
    requests.add(MpiRequests::all_peers, what, start);
    requests.wait(what, patience);
}

}    // namespace blip

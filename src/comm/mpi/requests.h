// Waiting with back-off and a deadline, for any condition and for a set of MPI requests. Used by the communicators.
#pragma once

#include <mpi.h>

#include <functional>
#include <string>
#include <vector>

#include "blip/comm/communicator.h"

namespace blip {

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
    // peer: the rank that a request depends on; -1 = all of them (a collective)
    void add(MPI_Request request, int peer);
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

}    // namespace blip

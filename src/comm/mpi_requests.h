// Waiting with back-off and a deadline, for any condition and for a set of MPI requests. Used by the communicators.
#pragma once

#include <mpi.h>

#include <functional>
#include <string>
#include <vector>

namespace blip {

// Polls reached() with back-off until it is true. Throws Error(internal) after timeout_s seconds (infinite: never),
// naming the operation, this rank and host, the seconds, and what late() says of the ranks it waits for.
void poll_until(const std::function<bool()>& reached, const std::string& what, double timeout_s, int rank,
                const std::function<std::string()>& late);

class MpiRequests {
  public:
    // peer: the rank that a request depends on, named if it is late; -1 = all of them (a collective)
    void add(MPI_Request request, int peer);
    bool empty() const { return requests_.empty(); }
    // poll_until all have finished; the deadline counts from the last arrival.
    void wait(const std::string& what, double timeout_s, int rank);

  private:
    std::string late_ranks() const;

    std::vector<MPI_Request> requests_;
    std::vector<int> peers_;
    std::vector<int> finished_;    // scratch of MPI_Testsome
    bool all_finished_ = false;
};

}    // namespace blip

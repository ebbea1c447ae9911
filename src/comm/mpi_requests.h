// A set of MPI requests that are waited for together, with back-off and a deadline. Used by mpi_communicator.
#pragma once

#include <mpi.h>

#include <string>
#include <vector>

namespace blip {

class MpiRequests {
  public:
    // peer: the rank that a request depends on, named if it is late; -1 = all of them (a collective)
    void add(MPI_Request request, int peer);
    bool empty() const { return requests_.empty(); }
    // Polls until all have finished. Throws Error(internal) after timeout_s seconds (infinite: never), naming the
    // operation, this rank and host, the seconds and the ranks that are late.
    void wait(const std::string& what, double timeout_s, int rank);

  private:
    std::string late_ranks() const;

    std::vector<MPI_Request> requests_;
    std::vector<int> peers_;
    std::vector<int> finished_;    // scratch of MPI_Testsome
};

}    // namespace blip

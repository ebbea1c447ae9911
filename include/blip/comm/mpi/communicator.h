// All traffic between hosts and, on CPUs, of arenas: non-blocking MPI calls, polled with back-off only while waiting.
#pragma once

#include "blip/comm/communicator.h"
#include "blip/options/options.h"

namespace blip {

// Over MPI_COMM_WORLD (a duplicate). The session must outlive it. ranks_per_node: 0 asks MPI which ranks share a host;
// else every so many ranks count as those of one (tests on one machine).
std::unique_ptr<Communicator> make_mpi_communicator(const CommOptions& options, int ranks_per_node = 0);

}    // namespace blip

// The CPU twin of Communicator: non-blocking MPI calls, polled with back-off only while waiting.
#pragma once

#include "blip/comm/communicator.h"
#include "blip/options/options.h"

namespace blip {

// Over MPI_COMM_WORLD (a duplicate). The session must outlive it.
std::unique_ptr<Communicator> make_mpi_communicator(const CommOptions& options);

}    // namespace blip

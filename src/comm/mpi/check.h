// Every MPI call of the comm layer goes through mpi_check: errors are returned (MPI_ERRORS_RETURN) and become
// blip::Error.
#pragma once

#include <mpi.h>

#include <source_location>

namespace blip {

// Throws Error(internal) with MPI's text unless code is MPI_SUCCESS. what: the operation, for the message.
void mpi_check(int code, const char* what, std::source_location where = std::source_location::current());

}    // namespace blip

// See mpi_check.h.
#include "src/comm/mpi/check.h"

#include <fmt/format.h>

#include <string>

#include "blip/base/error.h"

namespace blip {

void mpi_check(int code, const char* what, std::source_location where) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
    throw Error({ExitCode::internal, where},
                "MPI failed in '{}': {} (another rank may have died; its message says why)", what,
                length > 0 ? std::string(text, static_cast<std::size_t>(length)) : fmt::format("code {}", code));
}

}    // namespace blip

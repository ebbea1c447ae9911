// The one exception type of the project and the exit codes a batch system sees.
// Everything throws Error; only src/app and the data_prep programs turn it into an exit code.
#pragma once

#include <fmt/format.h>

#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

namespace blip {

// Process exit codes (sysexits.h values, and 85 = "requeue me").
enum class ExitCode : int {
    ok = 0,
    usage = 64,            // wrong command line or configuration
    bad_data = 65,         // a file exists but its content is wrong
    missing_input = 66,    // a file, library or device that is needed is absent
    internal = 70,         // a bug, a failed rank, a collective that ran out of time
    io = 74,               // reading or writing failed (disk full, permissions)
    stopped = 85,          // stopped by a signal after a checkpoint: run the same command again
};

// Rank of this process in its MPI job, read from the launcher's environment
// (OMPI_COMM_WORLD_RANK, PMIX_RANK, PMI_RANK, SLURM_PROCID), 0 without a launcher. Known before MPI_Init.
int launcher_rank();
// Number of processes in the job, likewise; 1 without a launcher.
int launcher_size();
// Name of this host.
const std::string& host_name();

// An exit code, and the source line that gave it.
struct CodeAndPlace {
    ExitCode code;
    std::source_location where;

    CodeAndPlace(ExitCode a_code, std::source_location a_where = std::source_location::current())
        : code(a_code), where(a_where) {}
};

// Carries where it happened (rank, host, source line) and which exit code the process should end with.
class Error : public std::runtime_error {
  public:
    // message: what is wrong, with the file's name, and what to do about it. UTF-8, no trailing newline.
    Error(CodeAndPlace code, const std::string& message);
    // As log_info: Error(ExitCode::io, "cannot read {}: {}", path, reason).
    template <class First, class... More>
    Error(CodeAndPlace code, fmt::format_string<First, More...> format, First&& first, More&&... more)
        : Error(code, fmt::format(format, std::forward<First>(first), std::forward<More>(more)...)) {}

    ExitCode code() const { return code_; }
    int rank() const { return rank_; }
    const std::string& host() const { return host_; }
    // file:line of the throw, for logs and bug reports
    std::string location() const;

  private:
    ExitCode code_;
    int rank_;
    std::string host_;
    std::source_location where_;
};

// The same error on every rank, thrown by all of them at the same point: rank 0 alone prints it, and the job ends in
// good order instead of being aborted.
class AgreedError : public Error {
  public:
    using Error::Error;
};

}    // namespace blip

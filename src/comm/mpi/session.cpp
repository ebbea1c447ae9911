// MPI's start and end. Used by src/app/main.cpp and by the test program of tests/ranks.
#include "blip/comm/mpi/session.h"

#include <fmt/format.h>
#include <mpi.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "blip/base/error.h"
#include "blip/base/phase.h"
#include "blip/comm/watchdog.h"
#include "src/comm/mpi/requests.h"

namespace blip {
namespace {

constexpr double kAbort_s = 10;

void set_default(const char* name, const char* value) { ::setenv(name, value, 0); }

bool started_by_launcher() {
    for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_STEP_ID"}) {
        if (std::getenv(name) != nullptr) return true;
    }
    return false;
}

// Containers often forbid the system call by which Open MPI copies between processes of a host; it then prints errors
// for each large message instead of falling back. Asked here of our own memory: a forbidden call fails even for that.
bool cross_memory_copy_allowed() {
    char from = 1, to = 0;
    const iovec local{&to, 1}, remote{&from, 1};
    return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1;
}

// What a person would otherwise have to export. Anything that is set already wins.
void set_environment_defaults() {
    set_default("OMPI_ALLOW_RUN_AS_ROOT", "1");
    set_default("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    set_default("OMPI_MCA_btl_base_warn_component_unused", "0");
    if (!cross_memory_copy_allowed()) set_default("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
    // a program started by itself needs neither a daemon (orted) nor a remote shell
    if (!started_by_launcher()) set_default("OMPI_MCA_ess_singleton_isolated", "1");
}

}    // namespace

MpiSession::MpiSession(int* argc, char*** argv) {
    enter_phase(Phase::starting_mpi);
    set_environment_defaults();
    int provided = 0;
    const int code = MPI_Init_thread(argc, argv, MPI_THREAD_SERIALIZED, &provided);
    mpi_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "set the error handler");
    mpi_check(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN), "set the error handler");
    mpi_check(code, "start MPI");
    if (provided < MPI_THREAD_SERIALIZED) {
        throw Error(ExitCode::missing_input,
                    "this MPI library allows calls of its main thread only, not of one thread at a time "
                    "(MPI_THREAD_SERIALIZED); use one that was built with thread support");
    }
    mpi_check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "ask for the rank");
    mpi_check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "ask for the number of ranks");
    MPI_Comm host = MPI_COMM_NULL;
    mpi_check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host),
              "find this host's ranks");
    mpi_check(MPI_Comm_rank(host, &local_rank_), "ask for the rank on this host");
    mpi_check(MPI_Comm_size(host, &local_size_), "ask for the number of ranks on this host");
    mpi_check(MPI_Comm_free(&host), "find this host's ranks");
    enter_phase(Phase::starting);
}

MpiSession::~MpiSession() {
    enter_phase(Phase::ending_mpi);
    MPI_Finalize();
}

void MpiSession::abort(int exit_code) const {
    expect_end("");    // from here on another deadline counts
    // A full pipe or a launcher that no longer answers must not keep the process alive.
    end_process_after(kAbort_s, exit_code,
                      fmt::format("rank {} on {}: MPI_Abort did not end the job", rank_, host_name()));
    std::fflush(nullptr);
    // alone there is nobody to end, and MPI_Abort would add ten lines of its own to the message
    if (size_ == 1) {
        MPI_Finalize();
    } else {
        MPI_Abort(MPI_COMM_WORLD, exit_code);
    }
    std::_Exit(exit_code);
}

std::string mpi_library_version() {
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
    int length = 0;
    mpi_check(MPI_Get_library_version(text, &length), "ask for the MPI library's version");
    const std::string whole(text, static_cast<std::size_t>(length));
    return whole.substr(0, whole.find_first_of(",\n"));
}

}    // namespace blip

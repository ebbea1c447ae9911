// MPI_Init and MPI_Finalize as one object. Lives in main outside the try block: after an error the job is aborted,
// since a rank that unwinds into MPI_Finalize would hang with the others.
#pragma once

#include <string>

namespace blip {

class MpiSession {
  public:
    // MPI_Init_thread (SERIALIZED: any thread may call it, one at a time), errors returned instead of aborting,
    // sensible defaults for one-node runs as root.
    MpiSession(int* argc, char*** argv);
    ~MpiSession();    // MPI_Finalize, unless aborted
    MpiSession(const MpiSession&) = delete;

    int rank() const { return rank_; }
    int size() const { return size_; }
    // rank and number of ranks on this host
    int local_rank() const { return local_rank_; }
    int local_size() const { return local_size_; }
    // Ends all ranks of the job within a second, with this exit code. Does not return.
    [[noreturn]] void abort(int exit_code) const;

  private:
    int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
};

// Name and version of the MPI library in use.
std::string mpi_library_version();

}    // namespace blip

// Collectives of GPUs by NCCL, on a stream of their own; MPI never sees device memory. Declared without CUDA types, so
// that src/app compiles without CUDA.
#pragma once

#include "blip/comm/communicator.h"
#include "blip/options/options.h"

namespace blip {

// Which of the GPUs that a process sees is this rank's: the one of its rank on the host; the only one where there is
// one (each rank has been given its own). Throws missing_input, naming rank and host, when a host has more ranks than
// it shows GPUs. visible > 0.
int choose_gpu(int local_rank, int local_size, int visible);

// Collective over the ranks of host, which must outlive it; also for one rank. Makes `device` the
// calling thread's. compute_stream: the cudaStream_t on which this rank computes (null: CUDA's default one):
// collectives start after what it holds, and wait() makes it wait; the host never does. Errors: missing_input without
// CUDA in this program, or with an NCCL of another version than it was built for; internal, naming rank, host,
// operation, and NCCL's own words. After an error of a collective nothing can be started; the process is expected to
// end, and ends itself if that takes long.
std::unique_ptr<Collectives> make_nccl_collectives(const CommOptions& options, int device, void* compute_stream,
                                                   HostMessages& host);

}    // namespace blip

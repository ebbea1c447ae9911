// Where a run computes, as the program that computes sees it: blip_mpi (main.cpp) has become blip_mpi_cuda where there
// is a GPU to use. compute_main.cpp chooses, the verbs open what was chosen.
#pragma once

#include <string>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"

namespace blip {

struct DeviceChoice {
    std::string problem;                 // --device cuda and no usable GPU: why. The run cannot go on.
    std::string warning;                 // a GPU that will not be used: why
    std::vector<std::string> remarks;    // further warnings
    std::string no_gpu;                  // why this process has no GPU; empty if it has, or was told not to ask
};

// Fills options.runtime.device (cpu or cuda) and precision (fp32 or bf16) where they are auto. Before MPI, CUDA and
// threads.
DeviceChoice choose_device(Options& options);

// All ranks compute on the same kind of device, or all throw AgreedError: missing_input naming the ranks, hosts and
// reasons where --device cuda cannot be had, or where some ranks have a GPU and others none. Rank 0 prints warnings.
// Collective.
void agree_on_device(const Options& options, const DeviceChoice& choice, HostMessages& communicator);
// The same for a process by itself.
void require_device(const DeviceChoice& choice);

// Opens the device that options.runtime names for the calling thread, with its numerics, and returns it with the
// precision weights have there. local_rank and local_size tell which GPU is this rank's. Throws missing_input if the
// host shows too few GPUs, or this rank's is too old.
ArenaPlacement open_device(const RuntimeOptions& options, int local_rank, int local_size);

// "cpu", or a GPU's name, memory and architecture, and the kernels that are asked for attention, in order.
std::string describe_device(const ArenaPlacement& placement);

}    // namespace blip

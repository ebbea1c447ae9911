// Where a run computes. blip_mpi is linked without CUDA, so that it starts fast everywhere; where a GPU is to be used,
// it becomes blip_mpi_cuda beside it before anything else happens. Called by main.cpp.
#pragma once

#include <string>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/options/options.h"

namespace blip {

struct DeviceChoice {
    std::string problem;                 // --device cuda and no usable GPU: why. The run cannot go on.
    std::string warning;                 // a GPU that will not be used: why
    std::vector<std::string> remarks;    // further warnings
    std::string no_gpu;                  // why this process has no GPU; empty if it has, or was told not to ask
};

// Fills options.runtime.device (cpu or cuda) and precision (fp32 or bf16) where they are auto. In a program without
// CUDA, if the GPU is to be used: replaces this process by blip_mpi_cuda of the same folder, with the same arguments
// and environment, and does not return. argv: as main got it. Before MPI, CUDA and threads.
DeviceChoice choose_device(Options& options, char** argv);

// What --deterministic needs in the environment before CUDA's libraries and NCCL start, where nothing else is set: sums
// over ranks have one order only if NCCL may not choose. Returns warnings about what is set otherwise.
std::vector<std::string> set_deterministic_environment();

// All ranks compute on the same kind of device, or all throw AgreedError: missing_input naming the ranks, hosts and
// reasons where --device cuda cannot be had, or where some ranks have a GPU and others none. Rank 0 prints warnings.
// Collective.
void agree_on_device(const Options& options, const DeviceChoice& choice, Communicator& communicator);
// The same for a process by itself.
void require_device(const DeviceChoice& choice);

}    // namespace blip

// Whether this process may use a GPU, asked of the driver alone: neither CUDA's runtime nor LibTorch is needed, so that
// the program can decide before it loads either. Used by src/app/main.cpp and the tests.
#pragma once

#include <cstdint>
#include <string>

namespace blip {

struct GpuPresence {
    int count = 0;         // GPUs that this process sees (CUDA_VISIBLE_DEVICES counts)
    std::string reason;    // why none is usable; empty if one is
};

// Loads libcuda.so.1, takes some milliseconds; does not create a context on any device. Does not throw.
GpuPresence find_gpus();

// "NVIDIA H200, 139.8 GiB, sm_90", or "GPU 0" where the driver does not say. index: as CUDA counts visible GPUs.
std::string gpu_name(int index);

// The major number of a GPU's architecture (9 of sm_90); 0 where the driver does not say.
int gpu_generation(int index);

// Memory of a GPU as its driver tells it; zeroes where it does not. The calling thread must have chosen that GPU, and
// begun to use it. used: by anybody, this process' CUDA context among them.
struct GpuMemory {
    std::uint64_t total_bytes = 0, used_bytes = 0;
};
GpuMemory gpu_memory();

// Whether CUDA code is linked into this program.
bool built_with_cuda();

// What that code needs; zeroes in a program without it.
struct GpuNeeds {
    int cuda = 0;            // version of its runtime: 13000 of 13.0
    int architecture = 0;    // the oldest that it was compiled for: 80 of sm_80
};
GpuNeeds gpu_needs();

// Why a GPU that is there is not enough: its driver or the GPU itself is too old. Empty if it is, or where the driver
// does not say. index: as above.
std::string gpu_problem(int index, const GpuNeeds& needs = gpu_needs());

}    // namespace blip

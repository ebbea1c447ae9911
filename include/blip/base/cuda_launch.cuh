// Runs a kernel body (host_device.h) once for each index on the device. For .cu files only.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>

#include "blip/base/cuda.h"

namespace blip {

// The body stays where launches put it: arrays in it are indexed there, not in a copy that each thread makes.
template <class Body>
__global__ void each_index(const __grid_constant__ Body body, std::int64_t count) {
    const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride)
        body(i);
}

// Queues body(0 .. count-1), in any order, on the stream. body is copied.
template <class Body>
void launch_each(const Body& body, std::int64_t count, cudaStream_t stream, const char* what) {
    if (count <= 0) return;
    constexpr std::int64_t threads = 256, most_blocks = 1 << 16;
    const auto blocks = static_cast<unsigned>(std::min((count + threads - 1) / threads, most_blocks));
    each_index<<<blocks, static_cast<unsigned>(threads), 0, stream>>>(body, count);
    cuda_check(cudaGetLastError(), what);
}

}    // namespace blip

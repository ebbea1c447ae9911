// A block of teams (row_team.h) with memory of its own that is as fast as a cache: for kernels that go over the rows of
// a chunk and add up its columns on the way. On a GPU a block of threads and its shared memory, on the host one thread
// and a buffer. Who adds what in which order is up to the body alone, so both have the same bits. Internal to the
// kernels layer.
#pragma once

#include <vector>

#include "src/kernels/row_team.h"

namespace blip {

// What a block may have without asking the driver for more.
inline constexpr std::int64_t most_scratch_floats = (48 << 10) / sizeof(float);

struct HostBlock {
    float* scratch;    // as many floats as the body wants; what is in them at first is not said

    // An index is always worked on by the same thread of the block.
    template <class Work>
    void each(int count, const Work& work) const {
        for (int i = 0; i < count; ++i) work(i);
    }
    // work(team, index)
    template <class Work>
    void each_by_teams(int count, const Work& work) const {
        for (int i = 0; i < count; ++i) work(HostTeam{}, i);
    }
    // What each thread has written to scratch so far, the others read from here on. For all threads of the block.
    void meet() const {}
};

// A block body's host loop: the CPU twin.
template <class Body>
void run_blocks_on_host(const Body& body) {
    std::vector<float> scratch(static_cast<std::size_t>(body.scratch_floats()));
    for (std::int64_t index = 0; index < body.blocks(); ++index) body(HostBlock{scratch.data()}, index);
}

#if defined(__CUDACC__)
template <int teams>
struct DeviceBlock {
    float* scratch;

    template <class Work>
    __device__ void each(int count, const Work& work) const {
        for (int i = static_cast<int>(threadIdx.x); i < count; i += teams * team_lanes) work(i);
    }
    template <class Work>
    __device__ void each_by_teams(int count, const Work& work) const {
        const int thread = static_cast<int>(threadIdx.x);
        const WarpTeam team{thread % team_lanes};
        for (int i = thread / team_lanes; i < count; i += teams) work(team, i);
    }
    __device__ void meet() const { __syncthreads(); }
};

template <class Body>
__global__ void __launch_bounds__(Body::teams_of_a_block* team_lanes, Body::blocks_at_once)
    each_block(const __grid_constant__ Body body) {
    extern __shared__ float scratch[];
    body(DeviceBlock<Body::teams_of_a_block>{scratch}, static_cast<std::int64_t>(blockIdx.x));
}
#endif

}    // namespace blip

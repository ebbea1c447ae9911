// A team of 32 lanes that works on a row: a warp on a GPU, one thread on the host. Sums are taken in one and the same
// tree on both, so that a kernel's body has the same bits on each (but for exp, erf and the like, which the two compute
// by their own libraries). Internal to the kernels layer.
#pragma once

#include <cstdint>

#include "blip/base/host_device.h"

namespace blip {

inline constexpr int team_lanes = 32;

struct TwoSums {
    float first, second;
};

// Lane l has the indices l, l + 32, l + 64 ...; results are known to all lanes.
struct HostTeam {
    template <class Term>
    float sum(std::int64_t count, const Term& term) const {
        float lanes[team_lanes] = {};
        for (std::int64_t i = 0; i < count; ++i) lanes[i % team_lanes] += term(i);
        for (int step = team_lanes / 2; step > 0; step /= 2)
            for (int lane = 0; lane < step; ++lane) lanes[lane] += lanes[lane + step];
        return lanes[0];
    }
    // Two sums in one go, with the bits that each has by itself.
    template <class First, class Second>
    TwoSums sums(std::int64_t count, const First& first, const Second& second) const {
        return {sum(count, first), sum(count, second)};
    }
    // of values >= least
    template <class Value>
    float largest(std::int64_t count, float least, const Value& value) const {
        for (std::int64_t i = 0; i < count; ++i) least = value(i) > least ? value(i) : least;
        return least;
    }
    template <class Work>
    void each(std::int64_t count, const Work& work) const {
        for (std::int64_t i = 0; i < count; ++i) work(i);
    }
    // By one lane only.
    template <class Work>
    void once(const Work& work) const {
        work();
    }
    // What each lane has written so far, the others read from here on.
    void meet() const {}
};

// A row body's host loop: the CPU twin.
template <class Body>
void run_rows_on_host(const Body& body) {
    for (std::int64_t row = 0; row < body.rows; ++row) body(HostTeam{}, row);
}

#if defined(__CUDACC__)
struct WarpTeam {
    int lane;

    template <class Term>
    __device__ float sum(std::int64_t count, const Term& term) const {
        float own = 0;
        for (std::int64_t i = lane; i < count; i += team_lanes) own += term(i);
        for (int step = team_lanes / 2; step > 0; step /= 2) own += __shfl_xor_sync(0xFFFFFFFFU, own, step);
        return own;
    }
    template <class First, class Second>
    __device__ TwoSums sums(std::int64_t count, const First& first, const Second& second) const {
        TwoSums own{0, 0};
        for (std::int64_t i = lane; i < count; i += team_lanes) {
            own.first += first(i);
            own.second += second(i);
        }
        for (int step = team_lanes / 2; step > 0; step /= 2) {
            own.first += __shfl_xor_sync(0xFFFFFFFFU, own.first, step);
            own.second += __shfl_xor_sync(0xFFFFFFFFU, own.second, step);
        }
        return own;
    }
    template <class Value>
    __device__ float largest(std::int64_t count, float least, const Value& value) const {
        for (std::int64_t i = lane; i < count; i += team_lanes) least = fmaxf(least, value(i));
        for (int step = team_lanes / 2; step > 0; step /= 2)
            least = fmaxf(least, __shfl_xor_sync(0xFFFFFFFFU, least, step));
        return least;
    }
    template <class Work>
    __device__ void each(std::int64_t count, const Work& work) const {
        for (std::int64_t i = lane; i < count; i += team_lanes) work(i);
    }
    template <class Work>
    __device__ void once(const Work& work) const {
        if (lane == 0) work();
    }
    __device__ void meet() const { __syncwarp(); }
};

template <class Body>
__global__ void each_row(const __grid_constant__ Body body) {
    const std::int64_t warps = static_cast<std::int64_t>(gridDim.x) * blockDim.x / team_lanes;
    const int lane = static_cast<int>(threadIdx.x) % team_lanes;
    for (std::int64_t row = (static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / team_lanes;
         row < body.rows; row += warps)
        body(WarpTeam{lane}, row);
}
#endif

}    // namespace blip

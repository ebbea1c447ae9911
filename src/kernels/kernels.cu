// The kernels of this layer on a GPU: see kernel_list.h.
#include "blip/base/cuda_launch.cuh"
#include "src/kernels/kernel_list.h"

namespace blip {

template <class Body>
void launch(const Body& body, void* stream) {
    const auto queue = static_cast<cudaStream_t>(stream);
    if constexpr (RowBody<Body>) {
        if (body.rows <= 0) return;
        constexpr int threads = 128;
        constexpr std::int64_t rows_of_a_block = threads / team_lanes, most_blocks = 1 << 16;
        const std::int64_t blocks = (body.rows + rows_of_a_block - 1) / rows_of_a_block;
        each_row<<<static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks), threads, 0, queue>>>(body);
        cuda_check(cudaGetLastError(), Body::name);
    } else if constexpr (BlockBody<Body>) {
        if (body.blocks() <= 0) return;
        constexpr unsigned threads = Body::teams_of_a_block * team_lanes;
        const std::size_t scratch_bytes = static_cast<std::size_t>(body.scratch_floats()) * sizeof(float);
        each_block<<<static_cast<unsigned>(body.blocks()), threads, scratch_bytes, queue>>>(body);
        cuda_check(cudaGetLastError(), Body::name);
    } else {
        launch_each(body, body.count(), queue, Body::name);
    }
}

#define BLIP_LAUNCHED(Body) template void launch(const Body&, void*)
BLIP_KERNELS(BLIP_LAUNCHED);

}    // namespace blip

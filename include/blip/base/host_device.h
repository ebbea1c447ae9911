// Marks what runs on the host and on the device alike. Bodies of kernels are structs with `void operator()(int64 i)
// const` made of such functions, so that one source serves both: a .cu file launches them (cuda_launch.cuh), and tests
// without a GPU run them in a loop. CUDA code is compiled without contraction, so the same source gives the same bits.
#pragma once

#if defined(__CUDACC__)
#define BLIP_HOST_DEVICE __host__ __device__
#else
#define BLIP_HOST_DEVICE
#endif

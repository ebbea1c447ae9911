// CUDA runtime calls that throw, and the handles of streams and events. Included by .cu and *_cuda.cpp files only.
#pragma once

#include <cuda_runtime_api.h>

#include "blip/base/error.h"
#include "blip/base/handle.h"

namespace blip {

// Throws Error(internal) with what was tried and CUDA's own words.
void cuda_check(cudaError_t result, const char* what);

}    // namespace blip

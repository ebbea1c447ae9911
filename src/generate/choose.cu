// CUDA twin of the beam search's decisions: see choose_kernel.h.
#include "blip/base/cuda_launch.cuh"
#include "src/generate/choose_kernel.h"

namespace blip {

void launch_choose(const ChooseBody& body, void* stream) {
    launch_each(body, body.images, static_cast<cudaStream_t>(stream), "choice of the next tokens");
}

}    // namespace blip

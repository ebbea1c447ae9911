// CUDA twin of the keyed dropout: see dropout_kernel.h.
#include "blip/base/cuda_launch.cuh"
#include "src/kernels/dropout_kernel.h"

namespace blip {

namespace {
template <class Value>
void launch(const DropoutBody<Value>& body, void* stream) {
    launch_each(body, (body.count + 3) / 4, static_cast<cudaStream_t>(stream), "dropout");
}
}    // namespace

void launch_dropout(const DropoutBody<float>& body, void* stream) { launch(body, stream); }
void launch_dropout(const DropoutBody<Bf16>& body, void* stream) { launch(body, stream); }

}    // namespace blip

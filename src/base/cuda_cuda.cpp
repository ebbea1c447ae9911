// See cuda.h.
#include "blip/base/cuda.h"

#include "blip/base/error.h"

namespace blip {

void cuda_check(cudaError_t result, const char* what, std::source_location where) {
    if (result == cudaSuccess) return;
    static_cast<void>(cudaGetLastError());    // told here: not again by the next check
    throw Error({ExitCode::internal, where},
                "CUDA failed in '{}': {} ({}); an earlier kernel may be the cause: CUDA_LAUNCH_BLOCKING=1 tells which",
                what, cudaGetErrorString(result), cudaGetErrorName(result));
}

CudaStream make_side_stream(bool urgent) {
    int least = 0, greatest = 0;
    cuda_check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "ask for stream priorities");
    cudaStream_t stream = nullptr;
    cuda_check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, urgent ? greatest : least),
               "create a stream");
    return CudaStream(stream);
}

CudaEvent make_order_event() {
    cudaEvent_t event = nullptr;
    cuda_check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "create an event");
    return CudaEvent(event);
}

}    // namespace blip

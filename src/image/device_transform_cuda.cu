// Launches the kernels of a batch's transform. See device_transform.h; the twin without CUDA throws.
#include "blip/base/cuda_launch.cuh"
#include "src/image/augment_kernels.h"

namespace blip {

void queue_transform(const TransformTable& table, const std::byte* device_table, const std::uint8_t* pixels,
                     std::byte* workspace, std::uint8_t* output_I3SS, void* stream) {
    run_transform(table, device_table, pixels, workspace, output_I3SS,
                  [stream](const auto& body, std::int64_t count, const char* what) {
                      launch_each(body, count, static_cast<cudaStream_t>(stream), what);
                  });
}

}    // namespace blip

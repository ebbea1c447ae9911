// From the pixels of a loader in raw form to pictures on a device: copied and transformed on the calling thread's
// queue, without waiting. Used by batch_feed.cpp; a test runs it on the CPU, with the kernels' bodies in a loop.
#pragma once

#include <ATen/core/Tensor.h>

#include "blip/data/batch_loader.h"
#include "blip/image/device_transform.h"

namespace blip {

// Page-locked memory for the pixels of batches, recycled by LibTorch: a block is used again when it was given back and
// the copies from it are over. Nobody waits for that; while all are in use, another is made.
PixelAllocator staging_pixels(c10::Device device);

class DeviceImages {
  public:
    using Transform = void (*)(const TransformTable& table, const std::byte* device_table, const std::uint8_t* pixels,
                               std::byte* workspace, std::uint8_t* output_I3SS, void* stream);
    explicit DeviceImages(c10::Device device, Transform transform = queue_transform)
        : device_(device), transform_(transform) {}

    // batch: of a loader that allocates by staging_pixels; its pixels are given up. The result, uint8 [I, 3, S, S], is
    // made by the current queue. All calls must be made on one and the same queue: the buffers below are used again
    // without any other order than its own.
    at::Tensor transform(Batch& batch);

  private:
    c10::Device device_;
    Transform transform_;
    at::Tensor pixels_, workspace_;    // as large as the largest batch so far needed
};

}    // namespace blip

// What a rank computes on, in LibTorch's terms: its queue of work, points in it, and memory that is copied to it
// without waiting. The same code serves the CPU, where everything queued is done at once. Used by optim, eval, train
// and app.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/Event.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace blip {

// Numerics of a device, for the whole process.
struct DeviceNumerics {
    bool allow_tf32 = false;         // fp32 matrix products may round their factors to 10 bits
    bool deterministic = false;      // only algorithms that repeat bit for bit
    bool cudnn_attention = false;    // try cuDNN's attention before the others (unless deterministic)
};
void set_numerics(const DeviceNumerics& numerics);
// Whether cuDNN's attention is the best there is: the major number of the GPU's architecture is 9 or 10, and this
// process has a cuDNN that can be trusted with it.
bool cudnn_attention_is_best(int gpu_generation);
// The kernels that LibTorch tries for attention in this precision, in order: "cuDNN, Flash, efficient, plain". As set,
// for GPUs.
std::string attention_order(at::ScalarType type);
// Makes device the calling thread's. Each thread that computes calls it itself.
void use_device(c10::Device device);

// The handle of the calling thread's queue on the device (a cudaStream_t); null on the CPU.
void* compute_stream(c10::Device device);

// Uninitialised host memory that device copies from without waiting (page-locked if it is a GPU).
at::Tensor staging_tensor(at::IntArrayRef shape, at::ScalarType type, c10::Device device);
// The same values on the device; a copy from staging memory does not wait, and leaves it in use until a later point.
at::Tensor to_device(const at::Tensor& host, c10::Device device);
// Host values as a tensor on the device: staged and copied.
at::Tensor to_device(const std::vector<std::int64_t>& values, at::IntArrayRef shape, c10::Device device);

// A point in a device's queue, with its time. On the CPU it is reached when it is recorded.
class DevicePoint {
  public:
    explicit DevicePoint(c10::Device device);

    // Puts the point behind everything queued so far by this thread; may be used again.
    void record();
    bool reached() const { return !event_ || event_->query(); }
    // Milliseconds of the device from `earlier` to this; both must have been reached.
    double ms_since(const DevicePoint& earlier) const;

  private:
    c10::Device device_;
    std::chrono::steady_clock::time_point time_{};
    std::optional<c10::Event> event_;    // of a GPU
};

}    // namespace blip

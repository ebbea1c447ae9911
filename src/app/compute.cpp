// See compute.h.
#include "src/app/compute.h"

#include <fmt/format.h>

#include "blip/base/gpu_presence.h"
#include "blip/comm/nccl/collectives.h"
#include "blip/device/device.h"

namespace blip {

ArenaPlacement open_device(const RuntimeOptions& options, int local_rank, int local_size) {
    ArenaPlacement placement;
    if (options.device == "cuda") {
        const int gpu = choose_gpu(local_rank, local_size, find_gpus().count);
        placement.device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(gpu));
    }
    if (options.precision == "bf16") placement.dtype = at::kBFloat16;
    use_device(placement.device);
    set_numerics({options.allow_tf32, options.deterministic,
                  placement.device.is_cuda() && cudnn_attention_is_best(gpu_generation(placement.device.index()))});
    return placement;
}

std::string describe_device(const ArenaPlacement& placement) {
    if (!placement.device.is_cuda()) return "cpu";
    return fmt::format("{} (attention by {})", gpu_name(placement.device.index()), attention_order(placement.dtype));
}

}    // namespace blip

// See drop_path.h. Drawn on the host: a few hundred numbers a micro-batch.
#include "blip/kernels/drop_path.h"

#include "blip/base/random.h"
#include "blip/device/device.h"

namespace blip {

at::Tensor drop_path_scales(int depth, std::int64_t images, double last_probability, std::uint64_t key,
                            std::int64_t first_image, c10::Device device) {
    if (last_probability <= 0) return {};
    const at::Tensor scales = staging_tensor({2 * depth, images}, at::kFloat, device);
    auto* to = static_cast<float*>(scales.data_ptr());
    for (int branch = 0; branch < 2 * depth; ++branch) {
        const double p = depth > 1 ? last_probability * (branch / 2) / (depth - 1) : 0;
        for (std::int64_t i = 0; i < images; ++i) {
            RandomStream stream(
                random_key(key, RandomPurpose::drop_path,
                           {static_cast<std::uint64_t>(first_image + i), static_cast<std::uint64_t>(branch)}));
            *to++ = stream.uniform() < p ? 0.0F : static_cast<float>(1 / (1 - p));
        }
    }
    return to_device(scales, device);
}

}    // namespace blip

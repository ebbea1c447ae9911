// See position_embedding.h. Legend: G patches a side, W width.
#include "src/weights/position_embedding.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/upsample_bicubic2d.h>

#include <array>
#include <cmath>

namespace blip {

std::optional<std::int64_t> grid_side(const std::vector<std::int64_t>& shape) {
    if (shape.size() != 3 || shape[0] != 1 || shape[1] < 2) return std::nullopt;
    const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(shape[1] - 1))));
    return side * side == shape[1] - 1 ? std::optional(side) : std::nullopt;
}

std::vector<float> resize_positions(std::span<const float> values, std::int64_t from, std::int64_t to,
                                    std::int64_t width) {
    std::vector<float> resized(values.begin(), values.begin() + width);
    resized.reserve(static_cast<std::size_t>((1 + to * to) * width));
    // seen as an image of W channels whose memory runs channel by channel within a pixel, as the reference passes it
    const at::Tensor grid_1WGG =
        at::from_blob(const_cast<float*>(values.data()) + width, {1, from, from, width}, at::kFloat)
            .permute({0, 3, 1, 2});
    const at::Tensor out_GGW = at::upsample_bicubic2d(grid_1WGG, std::array{to, to}, /*align_corners=*/false)
                                   .permute({0, 2, 3, 1})
                                   .contiguous();
    const auto* data = static_cast<const float*>(out_GGW.const_data_ptr());
    resized.insert(resized.end(), data, data + out_GGW.numel());
    return resized;
}

}    // namespace blip

// Learned positions of the image encoder for another resolution. Internal to import.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace blip {

// Patches a side, if shape is [1, 1 + side * side, width].
std::optional<std::int64_t> grid_side(const std::vector<std::int64_t>& shape);

// values: [1 + from * from, width], the first row for [CLS]. Returns [1 + to * to, width]: [CLS] as it is, the grid
// resized bicubically (a = -0.75, no antialiasing, corners not aligned), which is what the reference does when it loads
// weights of another resolution.
std::vector<float> resize_positions(std::span<const float> values, std::int64_t from, std::int64_t to,
                                    std::int64_t width);

}    // namespace blip

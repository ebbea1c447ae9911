// What every decoder refuses before it asks for memory. Internal to the image layer.
#pragma once

#include <cstdint>

namespace blip {

// Above this a header is taken for damaged (twice the limit at which Pillow warns of a decompression bomb).
inline constexpr std::int64_t most_pixels = 2 * 89'478'485LL;

}    // namespace blip

// Body of normalised patches: see patches.h. Internal to the kernels layer. Legend: I pictures, S size, p patch size,
// P = S / p patches per side.
#pragma once

#include "src/kernels/number.h"

namespace blip {

// index: a row of p pixels of one channel of one patch: ((picture * P * P + patch) * 3 + channel) * p + row
template <class Value>
struct PatchesBody {
    static constexpr const char* name = "patches";
    const std::uint8_t* pixels;    // [I, 3, S, S]
    Value* patches;                // [I, P * P, 3 * p * p]
    float mean[3], deviation[3];
    std::int64_t pictures;
    int size, patch;

    std::int64_t count() const { return pictures * 3 * size * (size / patch); }
    BLIP_HOST_DEVICE void operator()(std::int64_t index) const {
        const int side = size / patch, row = static_cast<int>(index % patch);
        const int channel = static_cast<int>(index / patch % 3);
        const std::int64_t tile = index / patch / 3;
        const int place = static_cast<int>(tile % (side * side));
        const std::int64_t picture = tile / (side * side);
        const std::int64_t y = place / side * patch + row, x = place % side * patch;
        const std::uint8_t* from = pixels + ((picture * 3 + channel) * size + y) * size + x;
        Value* to = patches + index * patch;
        for (int i = 0; i < patch; ++i)
            store((static_cast<float>(from[i]) / 255.0F - mean[channel]) / deviation[channel], to[i]);
    }
};

}    // namespace blip

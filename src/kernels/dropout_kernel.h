// Body of the keyed dropout (dropout.h): the same source for the CPU twin, the CUDA kernel and the test that compares
// them. Internal to the kernels layer.
#pragma once

#include <cstdint>
#include <cstring>

#include "blip/base/host_device.h"
#include "blip/base/philox.h"

namespace blip {

// The upper half of a float.
struct Bf16 {
    std::uint16_t bits;
};

BLIP_HOST_DEVICE inline float as_float(float value) { return value; }
BLIP_HOST_DEVICE inline float as_float(Bf16 value) {
    const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
    float result;
    memcpy(&result, &bits, sizeof(result));
    return result;
}

BLIP_HOST_DEVICE inline void store(float value, float& to) { to = value; }
// to nearest, ties to even; any NaN becomes the quiet one
BLIP_HOST_DEVICE inline void store(float value, Bf16& to) {
    std::uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    to.bits = value != value ? 0x7FC0 : static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

// What decides the mask of one site. One Philox block gives four elements; the site takes the upper bits of the counter
// (2^40 blocks are room enough).
struct DropoutSite {
    std::uint64_t key;
    std::uint64_t first_block;    // site << 40
    std::uint32_t threshold;      // an element is dropped if its word is below
    float kept;                   // factor of the others
};

// Value: float or Bf16. Products are rounded once from fp32, so that the factor of bf16 values is exact too.
template <class Value>
struct DropoutBody {
    const Value* from;
    Value* to;
    std::int64_t count;    // elements
    DropoutSite site;

    // Elements 4 * group to 4 * group + 3.
    BLIP_HOST_DEVICE void operator()(std::int64_t group) const {
        std::uint32_t words[4];
        philox_words(site.key, site.first_block + static_cast<std::uint64_t>(group), words);
        for (int i = 0; i < 4; ++i) {
            const std::int64_t element = 4 * group + i;
            if (element >= count) return;
            store(as_float(from[element]) * (words[i] < site.threshold ? 0.0F : site.kept), to[element]);
        }
    }
};

// Queues the body for all groups on the device's queue `stream`; in a build without CUDA it throws internal.
void launch_dropout(const DropoutBody<float>& body, void* stream);
void launch_dropout(const DropoutBody<Bf16>& body, void* stream);

}    // namespace blip

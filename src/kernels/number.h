// Numbers of a kernel in memory: float, and bf16 as its bits. Values are loaded to float, computed in float and rounded
// once. Internal to the kernels layer.
#pragma once

#include <cstdint>
#include <cstring>

#include "blip/base/host_device.h"

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

// A float as it is read back after it was stored as a Value.
template <class Value>
BLIP_HOST_DEVICE float rounded(float value) {
    Value stored;
    store(value, stored);
    return as_float(stored);
}

}    // namespace blip

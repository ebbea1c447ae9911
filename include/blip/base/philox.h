// The generator below base/random.h, Philox4x32-10 (Salmon et al., 2011) from Random123, for the host and for kernels.
#pragma once

#include <Random123/philox.h>

#include <cstdint>

#include "blip/base/host_device.h"

namespace blip {

// The parts of a 128-bit counter, lowest first.
struct PhiloxCounter {
    std::uint32_t part[4];
};

// Four uniform 32-bit words for one key and one counter.
BLIP_HOST_DEVICE inline void philox_words(std::uint64_t key, const PhiloxCounter& counter, std::uint32_t words[4]) {
    using Generator = r123::Philox4x32_R<10>;
    const Generator::ctr_type c{{counter.part[0], counter.part[1], counter.part[2], counter.part[3]}};
    const Generator::key_type k{{static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)}};
    const Generator::ctr_type drawn = Generator()(c, k);
    for (int i = 0; i < 4; ++i) words[i] = drawn.v[i];
}

// The same for a counter of 64 bits.
BLIP_HOST_DEVICE inline void philox_words(std::uint64_t key, std::uint64_t counter, std::uint32_t words[4]) {
    philox_words(key, {{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), 0, 0}}, words);
}

}    // namespace blip

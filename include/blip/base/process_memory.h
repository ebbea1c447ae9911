// What this process holds of the machine's memory.
#pragma once

#include <cstdint>

namespace blip {

// Resident memory of this process now, and the most it was so far, in bytes.
std::uint64_t resident_bytes();
std::uint64_t peak_resident_bytes();

}    // namespace blip

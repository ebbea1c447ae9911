// What a micro-batch of 128 captions may cost at most. These numbers only fall: who makes the network cheaper lowers
// them to what build/tests/roofline --check says (it tells when they are more than 1 % too high); who has to raise one
// says in the commit what it buys.
#pragma once

#include <cstdint>

namespace blip::roofline {

inline constexpr std::int64_t most_kernels = 1189;
inline constexpr double most_gigabytes = 184.9;    // touched, to one decimal
inline constexpr double told_from = 0.01;          // a limit that is too high by this share is told of

}    // namespace blip::roofline

// The GPU that the tests of this folder run on.
#pragma once

#include <c10/core/Device.h>

namespace blip::test {

inline const c10::Device gpu(c10::kCUDA, 0);

}    // namespace blip::test

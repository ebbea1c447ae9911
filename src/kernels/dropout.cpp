// CPU twin of the keyed dropout: see dropout.h.
#include "blip/kernels/dropout.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mul.h>

#include <algorithm>

#include "blip/base/random.h"

namespace blip {

at::Tensor DropoutMasks::apply(const at::Tensor& x) {
    if (!active()) return x;
    const std::uint64_t site = site_++;
    const at::Tensor mask = at::empty(x.sizes(), x.options().requires_grad(false));
    auto* data = static_cast<float*>(mask.data_ptr());
    const std::int64_t count = mask.numel();
    const auto threshold = static_cast<std::uint32_t>(std::min(probability_ * 0x1p32, 0x1p32 - 1));
    const auto kept = static_cast<float>(1.0 / (1.0 - probability_));
    // One Philox block gives four elements; the site takes the upper bits of the counter (2^40 blocks are room enough).
    at::parallel_for(0, (count + 3) / 4, 8192, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t group = begin; group < end; ++group) {
            const auto words = philox(key_, (site << 40) + static_cast<std::uint64_t>(group));
            const std::int64_t last = std::min(4 * group + 4, count);
            for (std::int64_t i = 4 * group; i < last; ++i)
                data[i] = words[static_cast<std::size_t>(i - 4 * group)] < threshold ? 0.0F : kept;
        }
    });
    return at::mul(x, mask);
}

}    // namespace blip

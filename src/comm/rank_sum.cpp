// See rank_sum.h.
#include "src/comm/rank_sum.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace blip {

void sum_in_rank_order(const float* own, const float* parts, int rank, int size, float* receive, std::int64_t count) {
    constexpr std::int64_t kBlock = 1024;
    std::array<float, kBlock> sum;
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
        const std::int64_t length = std::min(kBlock, count - begin);
        for (int r = 0; r < size; ++r) {
            const float* __restrict part = r == rank ? own + begin : parts + (r - (r > rank)) * count + begin;
            if (r == 0) {
                std::copy_n(part, length, sum.data());
            } else if (length == kBlock) {
                for (std::int64_t i = 0; i < kBlock; ++i) sum[static_cast<std::size_t>(i)] += part[i];
            } else {
                for (std::int64_t i = 0; i < length; ++i) sum[static_cast<std::size_t>(i)] += part[i];
            }
        }
        std::copy_n(sum.data(), length, receive + begin);
    }
}

}    // namespace blip

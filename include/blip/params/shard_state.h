// What a rank keeps of its shards of the arena beside the weights: checkpoints hold it, whatever optimizer updates it.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace blip {

// Tensors are the optimizer's own. One fp32 tensor a bucket, aligned with arena.shard(bucket, rank); moments of the
// trained buckets only, which come first.
struct ShardState {
    int rank = 0;
    std::vector<at::Tensor> masters, exp_avg, exp_avg_sq;
    at::Tensor update_count;    // one fp32 element on the weights' device
};

}    // namespace blip

// AdamW (Loshchilov & Hutter 2019) over arena ranges: each rank holds the moments of its own 1/N of every bucket,
// updates that part of the weights and gathers the others'. Weight decay on every parameter, as the reference does.
// Moments and masters are fp32 on the arena's device. The masters are what is updated: views of the arena if its
// weights are fp32; with bf16 weights tensors of their own, rounded into the arena after the update. Frozen buckets
// have masters alone. With clip_norm the reduced gradient is first scaled by min(1, clip_norm / (norm + 1e-6)), norm
// the L2 norm of the gradients of all trained parameters over all ranks, as torch.nn.utils.clip_grad_norm_ (torch 2)
// does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/optim/grad_reducer.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"

namespace blip {

class ShardedAdamW {
  public:
    // together: each part of a step for all buckets at once, as it is best on GPUs; else bucket by bucket, so that what
    // has come is computed and sent while the rest is on its way.
    ShardedAdamW(Arena& arena, Collectives& collectives, const OptimOptions& options, bool together);
    // as it is best on the arena's device
    ShardedAdamW(Arena& arena, Collectives& collectives, const OptimOptions& options)
        : ShardedAdamW(arena, collectives, options, arena.placement().device.is_cuda()) {}

    // What a step found: double scalars on the arena's device, not yet known when step returns; local to this rank
    // until summed.
    struct StepResult {
        at::Tensor gradient_square_sum;    // of this rank's reduced shards before they are clipped (padding is zero)
        at::Tensor non_finite;             // 1 if the loss or one of these gradients was inf or NaN, else 0
    };
    // Per bucket in order, or for all together: wait for the reduced shard, update it, start gathering the weights;
    // then wait for all. On a GPU everything is queued, and the host waits for nothing. loss: of this rank, one element
    // on the arena's device (undefined: finite). If it is not finite, nothing is updated or counted, but the
    // collectives run on all ranks. A shard whose reduced gradient is not finite is left alone, if together with all
    // other shards of this rank; what is left is updated, and the update is counted. A run that goes on after either
    // must do so from a checkpoint. With clip_norm no update begins before all shards are reduced and every rank knows
    // their norm: one gather of a double for each rank, for which no host waits on a GPU; where the norm is not finite,
    // nothing is updated on any rank. Throws internal if bf16 weights have no masters yet (write_weights).
    StepResult step(GradReducer& reducer, double lr, const at::Tensor& loss = {});

    // A WeightSink (arena.h): rounded into the arena, exactly into the masters of this rank's shards. All weights of a
    // training run come in through it, on every rank.
    void write_weights(std::int64_t begin, std::span<const float> values);
    WeightSink weight_sink() {
        return [this](std::int64_t begin, std::span<const float> values) { write_weights(begin, values); };
    }

    // The rank whose shards these are.
    int rank() const;
    // All that a checkpoint holds of it.
    ShardState state() const { return {rank(), masters_, exp_avg_, exp_avg_sq_, step_count_}; }
    // Masters and moments of this rank's shards, one fp32 tensor a bucket, aligned with arena.shard(bucket, rank);
    // moments of trained buckets only.
    const std::vector<at::Tensor>& masters() const { return masters_; }
    const std::vector<at::Tensor>& exp_avg() const { return exp_avg_; }
    const std::vector<at::Tensor>& exp_avg_sq() const { return exp_avg_sq_; }
    // Number of updates so far (bias correction); the same for all elements. Waits for the device.
    std::int64_t update_count() const;

  private:
    bool masters_apart() const;
    // What the fused kernel is told beside the gradients. fp32 scalars on the arena's device.
    struct Guard {
        at::Tensor fault;                        // not 0: no update
        std::optional<at::Tensor> grad_scale;    // what gradients are divided by; none: 1
    };
    at::Tensor step_by_bucket(GradReducer& reducer, double lr, const at::Tensor& loss_fault);
    at::Tensor step_together(GradReducer& reducer, double lr, const at::Tensor& loss_fault);
    Guard clipping_guard(const at::Tensor& squares, const at::Tensor& loss_fault);
    void round_masters(std::size_t bucket);
    GatherPart gathered(std::size_t bucket);

    Arena& arena_;
    Collectives& collectives_;
    OptimOptions options_;
    bool together_;
    std::vector<at::Tensor> masters_, exp_avg_, exp_avg_sq_;
    at::Tensor step_count_;     // fp32 scalar, as the fused kernel takes it
    at::Tensor lr_;             // likewise, of steps together only
    at::Tensor all_squares_;    // [N] double: every rank's sum of squares, of clipped steps only
    bool masters_set_ = false;
};

}    // namespace blip

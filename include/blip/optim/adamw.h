// AdamW (Loshchilov & Hutter 2019) over arena ranges: each rank holds the moments of its own 1/N of every bucket,
// updates that part of the weights and gathers the others'. Weight decay on every parameter, as the reference does.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/optim/grad_reducer.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"

namespace blip {

class ShardedAdamW {
  public:
    ShardedAdamW(Arena& arena, Communicator& communicator, const OptimOptions& options);

    // What a step found; local to this rank until summed.
    struct StepResult {
        double gradient_square_sum = 0;    // of this rank's reduced shards (padding is zero)
        bool non_finite = false;           // a reduced gradient was inf or NaN: its update was skipped
    };
    // Per bucket in order: wait for the reduced shard, update it, start gathering the weights; then wait for all.
    // skip: the loss was not finite: nothing is updated or counted, but the collectives run on all ranks.
    // A shard whose reduced gradient is not finite is left alone, here alone: the others are updated and the update is
    // counted, so a run that goes on after that must do so from a checkpoint.
    StepResult step(GradReducer& reducer, double lr, bool skip = false);

    // The rank whose shards these are.
    int rank() const;
    // Moments of this rank's shards, one tensor a bucket, aligned with arena.shard(bucket, rank).
    const std::vector<at::Tensor>& exp_avg() const { return exp_avg_; }
    const std::vector<at::Tensor>& exp_avg_sq() const { return exp_avg_sq_; }
    // Number of updates so far (bias correction); the same for all elements.
    std::int64_t update_count() const;
    void set_update_count(std::int64_t count);

  private:
    Arena& arena_;
    Communicator& communicator_;
    OptimOptions options_;
    std::vector<at::Tensor> exp_avg_, exp_avg_sq_;
    at::Tensor step_count_;
};

}    // namespace blip

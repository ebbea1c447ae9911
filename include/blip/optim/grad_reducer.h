// Starts the reduce-scatter of each gradient bucket as soon as backward has finished its parameters.
// Buckets start once each and in index order on every rank; a bucket that is ready early waits for those before it.
// Frozen parameters have no gradient, and their buckets no part here.
// Used by the trainer: begin_step(), the micro-batches' backward passes with arm() before the last one, then finish().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/params/arena.h"

namespace blip {

class GradReducer {
  public:
    // Registers post-accumulate hooks on the arena's weights. Arena and collectives must outlive it.
    GradReducer(Arena& arena, Collectives& collectives);
    ~GradReducer();    // removes the hooks

    // Zeroes the gradients and forgets the last step.
    void begin_step();
    // The next backward is the last of this step: hooks now count. A rank without micro-batches calls finish() only.
    void arm();
    // Starts the buckets that have not started (unused parameters fire no hook). Afterwards every bucket is in flight.
    void finish();
    // Waits for a bucket; returns this rank's reduced shard: 1-D, arena.shard(bucket, rank).length() elements.
    // Valid until begin_step. A view of the gradient arena: the reduction is in place, the other parts hold local sums.
    // finish() must have been called.
    at::Tensor reduced_shard(int bucket);

    // for tests: bucket indices in the order in which they were started, and how many of them by hooks, since
    // begin_step
    const std::vector<int>& start_order() const;
    int started_by_hooks() const;
    // seconds spent waiting in reduced_shard since begin_step
    double waited_s() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}    // namespace blip

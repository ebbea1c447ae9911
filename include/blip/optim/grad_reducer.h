// Starts the reduce-scatter of each gradient bucket as soon as backward has finished its parameters.
// Buckets start once each and in index order on every rank; a bucket that is ready early waits for those before it.
// Frozen parameters have no gradient, and their buckets no part here.
// Used by the trainer: begin_step(), the micro-batches' backward passes with arm() before the last one, then finish().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/params/arena.h"

namespace blip {

class GradReducer {
  public:
    // Registers post-accumulate hooks on the arena's weights. Arena and collectives must outlive it.
    GradReducer(Arena& arena, Collectives& collectives);
    ~GradReducer();    // removes the hooks
    GradReducer(const GradReducer&) = delete;

    // Zeroes the gradients and forgets the last step.
    void begin_step();
    // The next backward is the last of this step: hooks now count. A rank without micro-batches calls finish() only.
    void arm() { armed_ = true; }
    // Starts the buckets that have not started (unused parameters fire no hook). Afterwards every bucket is in flight.
    void finish();
    // Waits for a bucket; returns this rank's reduced shard: 1-D, arena.shard(bucket, rank).length() elements.
    // Valid until begin_step. A view of the gradient arena: the reduction is in place, the other parts hold local sums.
    // finish() must have been called.
    at::Tensor reduced_shard(int bucket);

    // for tests: bucket indices in the order in which they were started, and how many of them by hooks, since
    // begin_step
    const std::vector<int>& start_order() const { return start_order_; }
    int started_by_hooks() const { return started_by_hooks_; }
    // seconds spent waiting in reduced_shard since begin_step
    double waited_s() const { return waited_s_; }

  private:
    void forget();
    int next() const { return static_cast<int>(start_order_.size()); }
    int bucket_count() const { return static_cast<int>(works_.size()); }
    void start_next();
    void on_gradient(ParamId id);
    void wait_for(int bucket);

    Arena& arena_;
    Collectives& collectives_;
    bool armed_ = false;
    std::vector<int> bucket_of_leaf_;    // by id; -1: no leaf, or frozen
    std::vector<int> leaves_;            // by trained bucket, as all below: how many
    std::vector<char> fired_;            // by id: the leaf's hook ran since arm()
    std::vector<int> missing_;           // by bucket: leaves whose hook has not run
    std::vector<std::string> names_;     // by bucket, for messages
    std::vector<WorkPtr> works_;         // by bucket; null once waited for
    std::vector<int> start_order_;
    int started_by_hooks_ = 0;
    double waited_s_ = 0;
};

}    // namespace blip

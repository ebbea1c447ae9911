// A rank's masters and moments as they are after a step, on the host: training goes on while they are written. Used by
// save.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "blip/device/device.h"
#include "blip/params/arena.h"
#include "blip/weights/safetensors.h"

namespace blip {

// Host memory that a device copies to without anybody waiting, kept from save to save: to lock its pages takes longer
// than to copy.
struct StagedState {
    std::vector<at::Tensor> buckets;    // [3, length of the shard]: master, exp_avg, exp_avg_sq; fp32
    at::Tensor update_count;
};

class Snapshot {
  public:
    // What the CPU holds is copied by complete(), in the thread that writes, while the next step computes its
    // gradients. The memory comes from the calling thread: its allocator has what the step's activations left free.
    static Snapshot of_host(const Arena& arena, const ShardState& state);
    // Queues the copies of what a device holds, one for each shard, behind the last step: what is queued later may
    // change the shards. `staged` is the snapshot's until that is dropped.
    static Snapshot of_device(const Arena& arena, const ShardState& state, StagedState& staged);

    // Whether masters and moments must stay as they are until complete() has returned.
    bool needs_sources() const { return !sources_.empty(); }
    // Returns once all is here; asks the device now and then instead of holding it up.
    void complete();
    // After complete().
    const std::vector<NamedTensor>& tensors() const { return tensors_; }
    std::int64_t update_count() const { return update_count_; }

  private:
    std::vector<NamedTensor> tensors_;
    std::vector<at::Tensor> sources_;       // of each tensor that is not copied yet
    std::optional<DevicePoint> arrival_;    // of what was queued
    at::Tensor staged_count_;
    std::int64_t update_count_ = 0;
};

}    // namespace blip

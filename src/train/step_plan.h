// What a step computes: the samples of this rank's micro-batches and the weight of the whole global batch, known to
// every rank from the captions in the file. Used by the trainer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "blip/data/batch_loader.h"
#include "blip/data/packed/dataset.h"
#include "blip/data/shard_sampler.h"
#include "blip/options/options.h"
#include "blip/tasks/task.h"

namespace blip {

// What a loader reads and draws for a micro-batch of an epoch.
BatchRequest request_of(const SplitTables& split, const MicroBatch& micro, std::uint64_t seed, std::int64_t epoch);

class StepPlan {
  public:
    StepPlan(const SplitTables& split, const Objective& objective, const TrainOptions& options, int rank, int size);

    const ShardSampler& sampler() const { return sampler_; }
    // The number of steps of the whole run: of its epochs, or --max-steps if that is less.
    std::int64_t last_step() const;
    // of a step over all ranks, at least 1
    std::int64_t global_weight(std::int64_t epoch, std::int64_t step) const;
    // this rank's requests from a step of an epoch to the epoch's end; owns what it uses
    std::function<std::optional<BatchRequest>()> requests(std::int64_t epoch, std::int64_t first_step) const;

  private:
    const SplitTables& split_;
    std::uint64_t seed_;
    std::int64_t epochs_, max_steps_;
    ShardSampler sampler_;
    std::vector<std::int32_t> weights_C_;
};

}    // namespace blip

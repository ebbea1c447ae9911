// What a step computes: the units of this rank's micro-batches, and the weight and captions of the whole global batch,
// known to every rank from the captions in the file. Used by the trainer.
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

class StepPlan {
  public:
    // The objective's split must outlive it.
    StepPlan(const SplitTables& split, const Objective& objective, const TrainOptions& options, int rank, int size);

    const ShardSampler& sampler() const { return sampler_; }
    // The number of steps of the whole run: of its epochs, or --max-steps if that is less.
    std::int64_t last_step() const;
    // of a step over all ranks
    struct Global {
        std::int64_t weight = 0;      // at least 1
        std::int64_t captions = 0;    // written or drawn ones: a picture may have fewer than places
    };
    Global global(std::int64_t epoch, std::int64_t step) const;
    // this rank's requests from a step of an epoch to the epoch's end; owns what it uses
    std::function<std::optional<BatchRequest>()> requests(std::int64_t epoch, std::int64_t first_step) const;

  private:
    TrainingUnits units_;
    std::int64_t epochs_, max_steps_;
    ShardSampler sampler_;
    std::vector<std::int32_t> weights_C_;
    std::int64_t weight_of_none_;
};

}    // namespace blip

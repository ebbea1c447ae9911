// One optimizer step of this rank: its micro-batches forward and backward, the reduction and the update. Used by the
// trainer.
#pragma once

#include <cstdint>
#include <vector>

#include "blip/checkpoint/train_state.h"
#include "blip/data/batch_loader.h"
#include "blip/model/captioner.h"
#include "blip/optim/adamw.h"
#include "blip/optim/grad_reducer.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"
#include "blip/report/run_log.h"
#include "src/train/decisions.h"
#include "src/train/step_plan.h"

namespace blip {

// What a step did on this rank; complete once its decision is read.
struct StepOutcome {
    StepRecord record;
    Decision own;
    std::vector<std::int64_t> samples;    // this rank's caption rows
};

class TrainStep {
  public:
    // All must outlive it.
    TrainStep(const Options& options, int prompt_length, const Captioner& captioner, Arena& arena, const StepPlan& plan,
              GradReducer& reducer, ShardedAdamW& optimizer)
        : options_(options),
          prompt_length_(prompt_length),
          captioner_(captioner),
          arena_(arena),
          plan_(plan),
          reducer_(reducer),
          optimizer_(optimizer) {}

    // state: where the run stands before this step. loader: gives this rank's micro-batches of it. Collective.
    StepOutcome run(BatchLoader& loader, const TrainState& state, double lr);

  private:
    double micro_batch(const Batch& batch, std::int64_t global_step, std::int64_t global_tokens, StepRecord& record);

    const Options& options_;
    int prompt_length_;
    const Captioner& captioner_;
    Arena& arena_;
    const StepPlan& plan_;
    GradReducer& reducer_;
    ShardedAdamW& optimizer_;
};

}    // namespace blip

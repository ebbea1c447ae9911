// One optimizer step of this rank: its micro-batches forward and backward, the reduction and the update. Everything is
// queued on the device; what the step found is read when the next one has been queued. Used by the trainer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "blip/checkpoint/manifest.h"
#include "blip/device/device.h"
#include "blip/feed/batch_feed.h"
#include "blip/optim/adamw.h"
#include "blip/optim/grad_reducer.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"
#include "blip/report/run_log.h"
#include "blip/tasks/task.h"
#include "src/train/decisions.h"
#include "src/train/step_plan.h"

namespace blip {

// Weights and gradients of a task, in buckets, in memory that the collectives reach.
Arena training_arena(const Task& task, const CommOptions& options, ArenaPlacement placement, int ranks,
                     Collectives& collectives);

// What a step did on this rank; complete once its decision is read.
struct StepOutcome {
    StepRecord record;
    Decision own;
    std::vector<std::int64_t> samples;    // this rank's caption rows
};

// Which samples a step trained on, asked of the ranks.
// A record "samples" with the caption rows of all ranks in rank order: from what the ranks' loaders gave them, not from
// what the plan says. log: nullptr on all ranks but 0. Collective.
void log_sample_rows(const StepOutcome& step, RunLog* log, HostMessages& communicator);

// Throws AgreedError (internal) that names the step and its images by rank. Collective: the decision told all ranks.
[[noreturn]] void fail_non_finite(const StepOutcome& step, const SplitTables& split,
                                  const std::filesystem::path& output, HostMessages& communicator);

// A step that the device may still be at.
class RunningStep {
  public:
    explicit RunningStep(c10::Device device);

    // Waits until the device is through with it (deadline and failures: the collectives'), then tells.
    StepOutcome finish(Collectives& collectives);

  private:
    friend class TrainStep;
    StepOutcome outcome_;
    // host fp64: this rank's loss, square sum of its reduced gradients, not finite, the objective's sums on the device
    at::Tensor found_;
    DevicePoint begin_, end_;
    // of each micro-batch: begin, forward done, backward done
    std::vector<DevicePoint> micro_batches_;
};

class TrainStep {
  public:
    // All must outlive it.
    TrainStep(const TrainOptions& options, const Objective& objective, Arena& arena, const StepPlan& plan,
              GradReducer& reducer, ShardedAdamW& optimizer)
        : options_(options),
          objective_(objective),
          arena_(arena),
          plan_(plan),
          reducer_(reducer),
          optimizer_(optimizer) {}

    // state: where the run stands before this step. feed: gives this rank's micro-batches of it. before_update: called
    // when the gradients are there, before weights and moments change. Collective.
    RunningStep run(BatchFeed& feed, const TrainState& state, double lr, const std::function<void()>& before_update);

  private:
    const TrainOptions& options_;
    const Objective& objective_;
    Arena& arena_;
    const StepPlan& plan_;
    GradReducer& reducer_;
    ShardedAdamW& optimizer_;
    // The micro-batch under way. Of a GPU that is lost, LibTorch's allocator cannot take back what two streams use:
    // while an error is told it must stay.
    std::optional<FedBatch> fed_;
};

}    // namespace blip

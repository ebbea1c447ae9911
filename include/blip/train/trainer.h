// The training run: resume, steps, checkpoints, evaluation after each epoch, and stopping on a signal.
// Called by the train verb on every rank.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "blip/base/error.h"
#include "blip/comm/communicator.h"
#include "blip/data/packed/dataset.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"
#include "blip/tasks/task.h"

namespace blip {

class Trainer {
  public:
    // options: checked and complete (threads, device and precision resolved). stop_requested: set by a signal, asked
    // once a step. config: what --print-config shows, kept in checkpoints. task: what is trained; of options.model's
    // shape. placement: where and in which precision to compute; collectives allocate there. All must outlive it.
    // before_publishing: see CheckpointWriter.
    Trainer(const Options& options, const std::string& config, const PackedDataset& dataset, const Task& task,
            ArenaPlacement placement, HostMessages& communicator, Collectives& collectives,
            std::function<bool()> stop_requested, std::function<void()> before_publishing = {});
    ~Trainer();

    // Trains from where the output directory stands to the end. Collective.
    // Returns ok, or stopped after a signal (a checkpoint was written first). Throws what went wrong.
    ExitCode run();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}    // namespace blip

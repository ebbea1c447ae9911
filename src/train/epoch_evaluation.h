// Evaluation after an epoch: captions and scores of the chosen splits, out/evaluations/epoch-N.json, and out/best when
// the score is the highest so far. Used by the trainer.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "blip/eval/evaluator.h"
#include "blip/optim/adamw.h"
#include "blip/params/arena.h"
#include "blip/report/run_log.h"

namespace blip {

class EpochEvaluation {
  public:
    EpochEvaluation(const Options& options, const PackedDataset& dataset, const Captioner& captioner,
                    const Arena& arena, const ShardedAdamW& optimizer, Communicator& communicator);

    // Whether epoch-N.json is there (rank 0 looks, all get the same answer). Collective.
    bool done(int epoch) const;
    // Collective. false: interrupted by a signal, nothing written.
    bool run(int epoch, std::int64_t global_step, RunLog* log, const std::function<bool()>& stop_requested);

  private:
    std::filesystem::path file(int epoch) const;
    // of all epochs evaluated so far, -1 if none
    double best_score() const;

    const Options& options_;
    const PackedDataset& dataset_;
    const Arena& arena_;
    const ShardedAdamW& optimizer_;
    Communicator& communicator_;
    std::vector<std::string> splits_;
    Evaluator evaluator_;
};

}    // namespace blip

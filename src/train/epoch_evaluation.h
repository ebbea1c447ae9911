// What is kept of the evaluation after an epoch: out/evaluations/epoch-N.json, and out/best when the score is the
// highest so far. Used by the trainer.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "blip/optim/adamw.h"
#include "blip/params/arena.h"
#include "blip/report/run_log.h"
#include "blip/tasks/task.h"

namespace blip {

class EpochEvaluation {
  public:
    // All must outlive it. model: of the arena's weights. A task without an evaluation has nothing to do here.
    EpochEvaluation(const Task& task, std::filesystem::path output, const ModelOptions& model, const Arena& arena,
                    const ShardedAdamW& optimizer, HostMessages& communicator);

    // On a run that goes on: names evaluations of earlier epochs, and best weights, that are damaged or gone. Rank 0
    // looks; the others do nothing.
    void inspect(int epochs);
    // Whether nothing is left to do: epoch-N.json is there, whole (rank 0 looks, all get the same answer). Collective.
    bool done(int epoch) const;
    // Collective. Whether the epochs evaluated so far, of which `epochs` are done, end with `patience` or more that
    // have no better score than one before (an equal one is none): by their files, so that a resumed run says the same.
    // false if patience is 0, or no epoch has a score.
    bool out_of_patience(int epochs, int patience) const;
    // "; best weights: out/best (epoch 2, CIDEr + Bleu_4 1.3201)", empty if there are none. On rank 0.
    std::string describe_best();
    // Collective. false: interrupted by a signal, nothing written.
    bool run(int epoch, std::int64_t global_step, RunLog* log, const std::function<bool()>& stop_requested);

  private:
    std::filesystem::path file(int epoch) const;
    // Collective.
    bool first_rank_says(const char* what, const std::function<bool()>& decide) const;
    struct Best {
        int epoch = -1;
        double score = -1;
    };
    // By what the best weights say of themselves; none if there are none or they are damaged. Read once, on rank 0.
    const Best& best();
    // Of the first `epochs`, by their files; none if none has a score.
    Best best_of_files(int epochs) const;
    // -1 if the record has no score that the best weights are chosen by.
    double selection_score(const nlohmann::json& record) const;

    std::filesystem::path output_;
    const ModelOptions& model_;
    const Arena& arena_;
    const ShardedAdamW& optimizer_;
    HostMessages& communicator_;
    std::unique_ptr<Evaluation> evaluation_;
    std::optional<Best> best_;    // once it is known
};

}    // namespace blip

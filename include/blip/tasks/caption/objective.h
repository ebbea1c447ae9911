// The objective of caption training: mean cross-entropy of the trained tokens of the global batch (loss.h). Made by
// CaptionTask; the trainer calls it.
#pragma once

#include "blip/data/packed/dataset.h"
#include "blip/options/options.h"
#include "blip/tasks/caption/loss.h"
#include "blip/tasks/task.h"

namespace blip {

class CaptionObjective : public Objective {
  public:
    // captioner and split must outlive it. Of train: captions_per_picture, seed and what is recomputed.
    CaptionObjective(const Captioner& captioner, const SplitTables& split, int prompt_length,
                     const LossOptions& options, const TrainOptions& train);

    const TrainingUnits& units() const override { return units_; }
    // trained tokens
    std::int64_t weight(std::int64_t caption) const override;
    double flops(const std::vector<std::int64_t>& captions) const override;
    at::Tensor loss(const Weights& weights, const FedBatch& batch, const StepShare& step) const override;

  private:
    const Captioner& captioner_;
    const SplitTables& split_;
    int prompt_length_;
    LossOptions options_;
    TrainingUnits units_;
    int recomputed_blocks_;
    bool frozen_vision_;
};

}    // namespace blip

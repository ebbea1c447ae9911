// Self-critical training (Rennie et al. 2017, with the mean of the other samples as baseline: Luo 2020): captions that
// the model draws learn from their own reward. Made by CaptionTask; the trainer calls it.
// Legend: I pictures, N samples of each, C = I * N samples picture by picture, P tokens of the prompt, G of the longest
// sample behind it, V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "blip/data/packed/dataset.h"
#include "blip/metrics/reward.h"
#include "blip/model/captioner.h"
#include "blip/options/options.h"
#include "blip/tasks/task.h"
#include "blip/text/wordpiece.h"

namespace blip {

// Rewards minus what they must beat: the mean of the picture's other rewards, or baselines_I (one for each picture) if
// there are any. In fp64. Throws internal for one sample of a picture without a baseline.
std::vector<double> advantages(const std::vector<double>& rewards_C, std::int64_t samples_per_picture,
                               const std::vector<double>& baselines_I = {});
// bool [C, G]: the drawn tokens up to and including each row's first end token.
at::Tensor counted_tokens(const at::Tensor& drawn_CG, std::int64_t end_token);
// - sum over c and t of factors[c, t] * log p(targets[c, t]), a scalar fp32 on the graph: its gradient is minus that of
// the expected reward, if factors are advantages of counted tokens and 0 elsewhere. logits: fp32 [.., V].
at::Tensor policy_loss(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& factors);

// fp32 [..]: the divergence KL(p || q) of each row's distribution p = softmax(logits) from q = softmax(start_logits),
// in nats; both fp32 [.., V]. 0 where they are equal.
at::Tensor divergence(const at::Tensor& logits, const at::Tensor& start_logits);

class SelfCriticalObjective : public Objective {
  public:
    // captioner, dataset and start must outlive it. options: complete. start: the weights of --init, where --kl keeps
    // near them. frequencies: CaptionReward's. Prepares the references of the training split (a few seconds for COCO).
    // Throws usage if --max-length leaves no token behind the prompt.
    SelfCriticalObjective(const Captioner& captioner, const PackedDataset& dataset, const Options& options,
                          const Weights* start = nullptr, const DocumentFrequencies* frequencies = nullptr);

    // pictures that have captions, with N places each
    const TrainingUnits& units() const override { return units_; }
    // a sample
    std::int64_t weight(std::int64_t) const override { return 1; }
    // as if samples were as long as the captions of the picture
    double flops(const std::vector<std::int64_t>& captions) const override;
    at::Tensor loss(const Weights& weights, const FedBatch& batch, const StepShare& step) const override;
    std::size_t sum_count() const override;
    std::size_t device_sum_count() const override;
    // reward, reward_spread, advantage_spread (standard deviations over samples), sample_length (tokens, without the
    // end token), without_end, bad_endings (shares of samples), distinct_captions (of a picture, its mean share of
    // samples), reward_ms (that rewards took, on all ranks together); with --kl, kl: the divergence from the start's
    // model, summed over a sample's tokens, its mean over samples, in nats
    std::map<std::string, double> told(std::span<const double> sums) const override;
    std::string signature() const override;

  private:
    struct Drawn;
    struct Judged;
    at::Tensor draw(const Weights& weights, const at::Tensor& image_embeds_INW, std::int64_t first_picture,
                    const StepShare& step) const;
    Judged judge(const Drawn& drawn, const std::vector<std::int64_t>& image_rows) const;

    const Captioner& captioner_;
    const SplitTables& split_;
    LossOptions loss_;
    SelfCriticalOptions options_;
    TrainingUnits units_;
    int recomputed_blocks_;
    bool frozen_vision_;
    std::int64_t longest_;
    Vocabulary vocabulary_;
    WordPieceTokenizer tokenizer_;
    std::string prompt_;
    std::vector<std::int64_t> prompt_tokens_;
    std::vector<std::size_t> place_of_image_;    // among the rewarded images
    CaptionReward reward_;
    const Weights* start_;    // null: not kept near them
};

}    // namespace blip

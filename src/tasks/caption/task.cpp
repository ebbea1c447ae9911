// See task.h.
#include "blip/tasks/caption/task.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/tasks/caption/evaluator.h"
#include "blip/tasks/caption/objective.h"
#include "blip/tasks/caption/self_critical.h"
#include "blip/tasks/caption/split_loss.h"

namespace blip {

namespace {

class CaptionEvaluation : public Evaluation {
  public:
    CaptionEvaluation(const Options& options, const PackedDataset& dataset, const Captioner& captioner,
                      const Weights& weights, c10::Device device, HostMessages& communicator, std::string signature)
        : dataset_(dataset),
          captioner_(captioner),
          weights_(weights),
          device_(device),
          data_(options.data),
          communicator_(communicator),
          signature_(std::move(signature)),
          results_(options.checkpoint.output / "result"),
          log_samples_(options.train.log_samples),
          rank_(communicator.rank()),
          evaluator_(captioner, weights, device, dataset, options.generate,
                     PicturePrompts(dataset.prompt()),    // what the captions were packed with
                     options.train.seed, options.evaluate, options.data, options.data.loader_threads,
                     options.runtime.progress, communicator) {
        for (const std::string& split : options.evaluate.splits)
            if (dataset.has_split(split)) splits_.push_back(split);
        loss_.label_smoothing = options.loss.label_smoothing;
        loss_.captions = options.train.micro_batch;
        loss_.images = options.evaluate.limit;
        loss_.loader_threads = options.data.loader_threads;
    }

    std::optional<nlohmann::json> run(int epoch, const std::function<bool()>& stop_requested) override {
        nlohmann::json record = {{"splits", nlohmann::json::object()}};
        bool found_references = false;
        if (!signature_.empty()) record["signature"] = signature_;
        for (const std::string& split : splits_) {
            const SplitEvaluation evaluation = evaluator_.run(split, stop_requested);
            if (evaluation.interrupted) return std::nullopt;
            // Of the first split with references, which decides which weights are best.
            const bool with_loss = !found_references && dataset_.split(split).caption_count() > 0;
            found_references = found_references || with_loss;
            std::optional<SplitLoss> loss;
            if (with_loss) loss = loss_of(dataset_.split(split), stop_requested);
            if (loss && loss->interrupted) return std::nullopt;
            if (rank_ != 0) continue;
            tell(epoch, evaluation, loss);
            write_results(results_ / fmt::format("{}_epoch{}.json", split, epoch), evaluation.captions);
            record["splits"][split] = summary(evaluation);
            if (loss)
                record["splits"][split].update(
                    {{"loss", loss->loss}, {"loss_tokens", loss->tokens}, {"loss_s", loss->seconds}});
            if (!record.contains("selection") && evaluation.scores.contains("Bleu_4"))
                record["selection"] = {{"split", split},
                                       {"metric", selection_metric()},
                                       {"score", evaluation.scores.at("CIDEr") + evaluation.scores.at("Bleu_4")}};
        }
        return record;
    }
    // As in the reference job.
    std::string selection_metric() const override { return "CIDEr + Bleu_4"; }
    nlohmann::json note() const override {
        return {{"prompt", dataset_.prompt()}, {"vocabulary_xxh3", dataset_.vocabulary_digest()}};
    }
    std::map<std::string, std::string> files() const override { return {{"vocab.txt", dataset_.vocabulary_text()}}; }

  private:
    SplitLoss loss_of(const SplitTables& split, const std::function<bool()>& stop_requested) const {
        SplitLossOptions options = loss_;
        if (options.images == 0) options.images = split.image_count();
        return split_loss(captioner_, weights_, device_, dataset_, split, data_, options, stop_requested,
                          communicator_);
    }
    void tell(int epoch, const SplitEvaluation& evaluation, const std::optional<SplitLoss>& loss) const {
        std::string scores;
        if (loss) scores = fmt::format(" loss {:.4f} in {:.1f} s,", loss->loss, loss->seconds);
        for (const auto& [name, value] : evaluation.scores) scores += fmt::format(" {} {:.4f}", name, value);
        log_info("epoch {} {}: {} in {:.1f} s,{}", epoch + 1, evaluation.split,
                 counted(std::ssize(evaluation.captions), "caption"), evaluation.generate_s,
                 evaluation.scores.empty() ? " no references to score against" : scores);
        for (const std::string& line : sample_lines(dataset_, evaluation, log_samples_)) log_info_text(line);
    }

    const PackedDataset& dataset_;
    const Captioner& captioner_;
    const Weights& weights_;
    c10::Device device_;
    DataOptions data_;
    HostMessages& communicator_;
    SplitLossOptions loss_;    // images 0: all
    std::string signature_;    // of the objective that trained the weights
    std::filesystem::path results_;
    int log_samples_, rank_;
    std::vector<std::string> splits_;
    Evaluator evaluator_;
};

std::unique_ptr<Objective> make_objective(const Options& options, const PackedDataset& dataset,
                                          const Captioner& captioner, const Weights* start,
                                          const DocumentFrequencies* frequencies) {
    if (options.is_self_critical())
        return std::make_unique<SelfCriticalObjective>(captioner, dataset, options, start, frequencies);
    return std::make_unique<CaptionObjective>(captioner, dataset.split("train"), dataset.prompt_length(), options.loss,
                                              options.train);
}

}    // namespace

CaptionTask::CaptionTask(const Options& options, const PackedDataset& dataset, HostMessages& communicator,
                         const Weights* start, const DocumentFrequencies* frequencies)
    : options_(options),
      dataset_(dataset),
      communicator_(communicator),
      captioner_(options.model),
      layout_(captioner_.layout()),
      objective_(make_objective(options, dataset, captioner_, start, frequencies)) {
    if (options.train.freeze == "vision") layout_.freeze("visual_encoder.");
}

Task CaptionTask::task() const {
    Task task{layout_, *objective_, {}};
    if (options_.train.evaluate)
        task.evaluation = [this](const Weights& weights, c10::Device device) {
            return std::make_unique<CaptionEvaluation>(options_, dataset_, captioner_, weights, device, communicator_,
                                                       objective_->signature());
        };
    return task;
}

}    // namespace blip

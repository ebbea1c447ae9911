// Captions of a split by all ranks, gathered and scored on rank 0. Called by the trainer after each epoch and by the
// evaluate verb.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/data/packed/dataset.h"
#include "blip/metrics/meteor.h"
#include "blip/model/captioner.h"
#include "blip/options/options.h"
#include "blip/tasks/caption/caption_images.h"
#include "blip/tasks/caption/picture_prompts.h"
#include "blip/tasks/caption/scoring.h"

namespace blip {

struct CaptionResult {
    std::int64_t image_row = 0;
    ImageKey key;
    std::string file;    // of the picture, as it was packed; "": not known
    std::string caption;
    double log_probability = 0;    // as Generated::log_probability in generate/beam_search.h
};

struct DomainScores {
    std::size_t images = 0;
    std::map<std::string, double> scores{};
};

// Filled on rank 0 only, but for interrupted.
struct SplitEvaluation {
    std::string split;
    std::vector<CaptionResult> captions;            // in the file's order of images, each image once
    std::map<std::string, double> scores;           // "Bleu_1" ...; empty if the split has no references
    std::map<std::string, DomainScores> domains;    // NoCaps' "in-domain", ...; empty for other data
    std::string signature;                          // of the scores (metrics/signature.h); empty without them
    double generate_s = 0;                          // wall time of the slowest rank
    double score_s = 0;
    bool interrupted = false;    // stop_requested said so on some rank: nothing else is valid
};

class Evaluator {
  public:
    // All must outlive it, but for the prompts (by image key) and options. device: where the weights are. seed: of
    // drawn captions, which depend on it and the image's key alone.
    Evaluator(const Captioner& captioner, const Weights& weights, c10::Device device, const PackedDataset& dataset,
              const GenerateOptions& generate, PicturePrompts prompts, std::uint64_t seed,
              const EvaluateOptions& evaluate, const DataOptions& data, int loader_threads, bool progress,
              HostMessages& communicator);

    // Scores need these, too; the default is nothing.
    void use(ScoringFiles files) { files_ = std::move(files); }
    // Collective. Images are dealt to the ranks by stride; every image of the split (or the first `limit`) is captioned
    // once. stop_requested is asked between batches and may differ between ranks.
    // images: filled on rank 0 where it is asked for.
    SplitEvaluation run(const std::string& split, const std::function<bool()>& stop_requested,
                        ImageScores* images = nullptr) const;

  private:
    std::vector<CaptionResult> generate_own(const SplitTables& split, std::int64_t images,
                                            const std::function<bool()>& stop_requested, bool& stopped) const;

    const Captioner& captioner_;
    const Weights& weights_;
    c10::Device device_;
    const PackedDataset& dataset_;
    GenerateOptions generate_;
    PicturePrompts prompts_;
    std::uint64_t seed_;
    EvaluateOptions evaluate_;
    ScoringFiles files_{};
    DataOptions data_;
    int loader_threads_;
    bool progress_;
    HostMessages& communicator_;
    Vocabulary vocabulary_;
    WordPieceTokenizer tokenizer_;
    mutable std::optional<MeteorTables> meteor_;    // opened on rank 0 when captions are scored first
};

// Scores, number of images and times, as the evaluation files hold them for each split.
nlohmann::json summary(const SplitEvaluation& evaluation);
// COCO result form with two members more: [{"image_id": ..., "caption": ..., "file_name": ..., "log_probability":
// ...}], durable. Rank 0. plain: without these, as NoCaps' server wants it.
void write_results(const std::filesystem::path& file, const std::vector<CaptionResult>& captions, bool plain = false);
// The picture's captions beside what people wrote, for the log.
std::vector<std::string> sample_lines(const PackedDataset& dataset, const SplitEvaluation& evaluation, int count);

}    // namespace blip

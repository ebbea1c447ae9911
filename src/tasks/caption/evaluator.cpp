// See evaluator.h.
#include "blip/tasks/caption/evaluator.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/phase.h"
#include "blip/comm/run_together.h"
#include "blip/feed/batch_feed.h"
#include "blip/report/progress.h"

namespace blip {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// first, first + stride, ... in batches
std::function<std::optional<BatchRequest>()> strided_images(std::int64_t first, std::int64_t stride, std::int64_t end,
                                                            int batch) {
    return [=, next = first]() mutable -> std::optional<BatchRequest> {
        BatchRequest request;
        for (; next < end && static_cast<int>(request.images.size()) < batch; next += stride)
            request.images.push_back(next);
        if (request.images.empty()) return std::nullopt;
        return request;
    };
}

// For other ranks. The probability travels as its bits: no rounding, and no number that JSON lacks.
std::string pack(const std::vector<CaptionResult>& results) {
    nlohmann::json rows = nlohmann::json::array();
    for (const CaptionResult& result : results)
        rows.push_back({result.image_row, result.caption, std::bit_cast<std::uint64_t>(result.log_probability)});
    return rows.dump();
}

// The captions of all ranks by image row; throws unless there are `expected`, each of another image.
std::vector<CaptionResult> merge(const std::vector<std::string>& parts, const SplitTables& split,
                                 std::int64_t expected) {
    std::vector<CaptionResult> all;
    for (const std::string& part : parts)
        for (const auto& row : nlohmann::json::parse(part)) {
            const auto i = row[0].get<std::size_t>();
            all.push_back({row[0], split.keys_I.at(i), split.files_I.at(i), row[1],
                           std::bit_cast<double>(row[2].get<std::uint64_t>())});
        }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.image_row < b.image_row; });
    const bool repeated = std::adjacent_find(all.begin(), all.end(), [](const auto& a, const auto& b) {
                              return a.image_row == b.image_row;
                          }) != all.end();
    if (repeated || static_cast<std::int64_t>(all.size()) != expected)
        throw Error(ExitCode::internal, "evaluation gathered {} captions for {} images", all.size(), expected);
    return all;
}

}    // namespace

Evaluator::Evaluator(const Captioner& captioner, const Weights& weights, c10::Device device,
                     const PackedDataset& dataset, const GenerateOptions& generate, PicturePrompts prompts,
                     std::uint64_t seed, const EvaluateOptions& evaluate, const DataOptions& data, int loader_threads,
                     bool progress, HostMessages& communicator)
    : captioner_(captioner),
      weights_(weights),
      device_(device),
      dataset_(dataset),
      generate_(generate),
      prompts_(std::move(prompts)),
      seed_(seed),
      evaluate_(evaluate),
      data_(data),
      loader_threads_(loader_threads),
      progress_(progress),
      communicator_(communicator),
      vocabulary_(Vocabulary::from_text(dataset.vocabulary_text(), dataset.path().string())),
      tokenizer_(vocabulary_) {}

std::vector<CaptionResult> Evaluator::generate_own(const SplitTables& split, std::int64_t images,
                                                   const std::function<bool()>& stop_requested, bool& stopped) const {
    const PhaseScope captioning(Phase::captioning);
    BatchFeed feed(dataset_, split, data_, AugmentOptions{}, captioner_.options().image_size, loader_threads_, device_,
                   strided_images(communicator_.rank(), communicator_.size(), images, evaluate_.batch));
    const bool shown = communicator_.rank() == 0 && progress_;
    // its end is told by the line with the scores
    Progress progress(fmt::format("captions of {}", split.name), images, shown, 0, /*ends=*/false);
    std::vector<CaptionResult> own;
    // Every rank takes part in as many rounds as rank 0 has batches. In each it says whether it was told to stop, and
    // reads what all said a round before: no rank is more than a batch ahead of another, or goes on without it.
    const std::int64_t most = (images + communicator_.size() - 1) / communicator_.size();
    const std::int64_t rounds = (most + evaluate_.batch - 1) / evaluate_.batch;
    double stops[] = {0.0};
    WorkPtr said;
    for (std::int64_t round = 0; round < rounds; ++round) {
        const std::optional<FedBatch> fed = feed.next();
        enter_phase(Phase::captioning);
        communicator_.wait(std::move(said));
        stopped = stops[0] > 0;
        if (stopped) break;
        stops[0] = stop_requested() ? 1.0 : 0.0;
        said = communicator_.start_host_sum(stops, "captioning of the other ranks");
        if (!fed) continue;
        std::vector<PictureRequest> requests;
        for (const std::int64_t row : fed->batch.request.images) {
            const ImageKey& key = split.keys_I[static_cast<std::size_t>(row)];
            requests.push_back({prompts_.of({key.text}), key.seed()});
        }
        feed.look_ahead();    // the other ranks have been waited for: it may have come
        const auto captions =
            caption_images(captioner_, weights_, fed->images_I3SS, tokenizer_, generate_, requests, seed_);
        for (std::size_t i = 0; i < captions.size(); ++i) {
            const std::int64_t row = fed->batch.request.images[i];
            const Caption& caption = captions[i].front();
            own.push_back({row, {}, {}, caption.text, caption.log_probability});
        }
        // Rank 0's share stands for all: the ranks are dealt equal numbers.
        enter_phase(Phase::reading_batch);
        progress.update(std::min(static_cast<std::int64_t>(own.size()) * communicator_.size(), images));
    }
    communicator_.wait(std::move(said));
    stopped = stops[0] > 0;
    return own;
}

SplitEvaluation Evaluator::run(const std::string& split_name, const std::function<bool()>& stop_requested,
                               ImageScores* of_images) const {
    const SplitTables& split = dataset_.split(split_name);
    const std::int64_t images =
        evaluate_.limit > 0 ? std::min<std::int64_t>(evaluate_.limit, split.image_count()) : split.image_count();
    SplitEvaluation evaluation;
    evaluation.split = split_name;
    const auto start = Clock::now();
    bool stopped = false;
    const std::vector<CaptionResult> own = generate_own(split, images, stop_requested, stopped);
    double stops[] = {stopped || stop_requested() ? 1.0 : 0.0};
    communicator_.host_sum(stops, "agreement after captioning");
    evaluation.interrupted = stops[0] > 0;
    if (evaluation.interrupted) return evaluation;
    const std::vector<std::string> parts = communicator_.gather(pack(own), "captions of all ranks");
    evaluation.generate_s = seconds_since(start);
    const PhaseScope scoring(Phase::scoring);
    const int threads = at::get_num_threads();    // a thread of its own would not know
    const auto score_start = Clock::now();
    const ReferenceLines references(split, images);
    const std::vector<std::string> tokens = communicator_.gather(
        references.tokens_of_share(communicator_.rank(), communicator_.size(), threads), "references' tokens");
    first_rank_works(communicator_, "scoring on rank 0", [&] {
        evaluation.captions = merge(parts, split, images);
        CocoEvalOptions options;
        options.threads = threads;
        if (!meteor_ && split.caption_count() > 0) {
            meteor_ = find_meteor(evaluate_.meteor_data);
            if (!meteor_->data) log_info("METEOR not computed: {}", meteor_->problem);
        }
        if (meteor_ && meteor_->data) options.meteor = &*meteor_->data;
        ImageScores scored =
            score_split(evaluation, references.by_image(tokens), references.set(split), files_, options);
        if (of_images != nullptr) *of_images = std::move(scored);
        evaluation.score_s = seconds_since(score_start);
    });
    return evaluation;
}

}    // namespace blip

// See split_loss.h.
#include "blip/tasks/caption/split_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "blip/base/phase.h"
#include "blip/comm/run_together.h"
#include "blip/feed/batch_feed.h"
#include "blip/tasks/caption/loss.h"

namespace blip {

std::vector<BatchRequest> loss_requests(const SplitTables& split, std::int64_t images, int captions, int rank,
                                        int size) {
    const std::int64_t end_of_images = std::min(images, split.image_count());
    std::int64_t all = 0, with_captions = 0;
    for (std::int64_t image = 0; image < end_of_images; ++image) {
        const auto [first, end] = caption_rows(split, image);
        all += end - first;
        with_captions += end > first ? 1 : 0;
    }
    const std::int64_t mean = with_captions > 0 ? (all + with_captions / 2) / with_captions : 1;
    const std::int64_t places = std::clamp<std::int64_t>(mean, 1, captions);
    std::vector<BatchRequest> requests;
    BatchRequest open;
    for (std::int64_t image = rank; image < end_of_images; image += size) {
        const auto [first, end] = caption_rows(split, image);
        for (std::int64_t caption = first; caption < end; caption += places) {
            if (static_cast<std::int64_t>(open.captions.size()) + places > captions)
                requests.push_back(std::exchange(open, {}));
            open.images.push_back(image);
            for (std::int64_t row = caption; row < caption + places; ++row)
                open.captions.push_back(row < end ? row : no_caption);
        }
    }
    if (!open.captions.empty()) requests.push_back(std::move(open));
    return requests;
}

SplitLoss split_loss(const Captioner& captioner, const Weights& weights, c10::Device device,
                     const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
                     const SplitLossOptions& options, const std::function<bool()>& stop_requested,
                     HostMessages& communicator) {
    const PhaseScope scoring(Phase::scoring);
    const auto start = std::chrono::steady_clock::now();
    const c10::AutoGradMode no_graph(false);
    // In each round every rank says whether it was told to stop, and reads what all said a round before: none is far
    // ahead of another. All have as many rounds as the one with most batches.
    std::vector<BatchRequest> requests =
        loss_requests(split, options.images, options.captions, communicator.rank(), communicator.size());
    std::size_t rounds = 0;
    for (const nlohmann::json& own : all_gather_json(communicator, requests.size(), "batches of a split"))
        rounds = std::max(rounds, own.get<std::size_t>());
    BatchFeed feed(dataset, split, data, AugmentOptions{}, captioner.options().image_size, options.loader_threads,
                   device, [requests = std::move(requests), at = std::size_t{0}]() mutable {
                       return at < requests.size() ? std::optional(std::move(requests[at++])) : std::nullopt;
                   });
    const at::Tensor sum = at::zeros({}, at::TensorOptions().dtype(at::kDouble).device(device));
    SplitLoss found;
    double stops[] = {0.0};
    WorkPtr said;
    for (std::size_t round = 0; round < rounds; ++round) {
        const std::optional<FedBatch> fed = feed.next();
        communicator.wait(std::move(said));
        if (stops[0] > 0) break;
        stops[0] = stop_requested() ? 1.0 : 0.0;
        said = communicator.start_host_sum(stops, "loss of the other ranks");
        if (!fed) continue;
        const TrainedTokens trained =
            trained_tokens(fed->batch.tokens_CT, fed->batch.lengths_C, dataset.prompt_length());
        DropoutMasks none = DropoutMasks::none();
        const at::Tensor mean =
            caption_loss(captioner, weights, fed->images_I3SS, fed->tokens_CT, trained, options.label_smoothing, none);
        feed.look_ahead();
        const auto tokens = static_cast<std::int64_t>(trained.targets.size());
        sum.add_(mean.to(at::kDouble), static_cast<double>(tokens));
        found.tokens += tokens;
        beat();
    }
    communicator.wait(std::move(said));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double all[] = {sum.item<double>(), static_cast<double>(found.tokens),
                    stops[0] > 0 || stop_requested() ? 1.0 : 0.0};
    communicator.host_sum(all, "loss of a split");
    found.tokens = static_cast<std::int64_t>(all[1]);
    found.loss = all[1] > 0 ? all[0] / all[1] : 0;
    found.seconds = seconds;
    found.interrupted = all[2] > 0;
    return found;
}

}    // namespace blip

// See run_identity.h.
#include "blip/train/run_identity.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/checkpoint/manifest.h"

namespace blip {

std::map<std::string, std::string> run_identity(const Options& options, const PackedDataset& dataset) {
    const auto number = [](double value) { return fmt::format("{}", value); };
    const ModelOptions& model = options.model;
    return {
        {"data digest", dataset.data_digest()},
        {"seed", std::to_string(options.train.seed)},
        {"global-batch", std::to_string(options.train.global_batch)},
        {"epochs", std::to_string(options.train.epochs)},
        {"init-lr", number(options.optim.init_lr)},
        {"min-lr", number(options.optim.min_lr)},
        {"weight-decay", number(options.optim.weight_decay)},
        {"beta1", number(options.optim.beta1)},
        {"beta2", number(options.optim.beta2)},
        {"adam-eps", number(options.optim.eps)},
        {"dropout", number(options.loss.dropout)},
        {"label-smoothing", number(options.loss.label_smoothing)},
        {"loss-average", options.loss.average},
        {"augment", options.augment.enabled ? "on" : "off"},
        {"precision", options.runtime.precision},
        {"model shape",
         fmt::format("text {}x{} heads {} intermediate {} positions {}, vision {}x{} heads {}, image {} patch {}",
                     model.text_layers, model.text_hidden, model.text_heads, model.text_intermediate,
                     model.text_positions, model.vision_depth, model.vision_width, model.vision_heads, model.image_size,
                     model.patch_size)},
    };
}

void check_ranks_agree(const std::map<std::string, std::string>& own, Communicator& communicator) {
    const auto all = communicator.all_gather_strings(nlohmann::json(own).dump(), "comparison of the ranks' options");
    const std::map<std::string, std::string> first = nlohmann::json::parse(all.front());
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
        const auto differences =
            identity_differences(first, nlohmann::json::parse(all[rank]).get<std::map<std::string, std::string>>());
        if (!differences.empty())
            throw Error(ExitCode::usage,
                        fmt::format("rank {} was started differently from rank 0 ({}): give all ranks the same options, "
                                    "data file and program",
                                    rank, fmt::join(differences, "; ")));
    }
}

}    // namespace blip

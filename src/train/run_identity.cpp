// See run_identity.h.
#include "blip/train/run_identity.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "src/train/earlier_results.h"

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
        {"drop-path", number(options.loss.drop_path)},
        {"label-smoothing", number(options.loss.label_smoothing)},
        {"loss-average", options.loss.average},
        {"augment", options.augment.enabled ? "on" : "off"},
        {"augment-operators", std::to_string(options.augment.enabled ? options.augment.operators : 0)},
        {"precision", options.runtime.precision},
        {"model shape",
         fmt::format("text {}x{} heads {} intermediate {} positions {}, vision {}x{} heads {}, image {} patch {}",
                     model.text_layers, model.text_hidden, model.text_heads, model.text_intermediate,
                     model.text_positions, model.vision_depth, model.vision_width, model.vision_heads, model.image_size,
                     model.patch_size)},
    };
}

void check_ranks_agree(const std::map<std::string, std::string>& own, Communicator& communicator) {
    // a path may hold bytes that are no UTF-8
    const std::string text = nlohmann::json(own).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const auto all = communicator.all_gather_strings(text, "comparison of the ranks' options");
    const std::map<std::string, std::string> first = nlohmann::json::parse(all.front());
    std::string problems;
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
        const std::map<std::string, std::string> other = nlohmann::json::parse(all[rank]);
        std::map<std::string, std::string> names = first;
        names.insert(other.begin(), other.end());
        for (const auto& [name, ignored] : names) {
            const auto here = first.find(name), there = other.find(name);
            const std::string value = here == first.end() ? "default" : here->second;
            const std::string other_value = there == other.end() ? "default" : there->second;
            if (value == other_value) continue;
            problems += fmt::format("{}{} is {} on rank {}, {} on rank 0", problems.empty() ? "" : "; ", name,
                                    other_value, rank, value);
        }
    }
    if (!problems.empty())
        throw AgreedError(ExitCode::usage,
                          fmt::format("the ranks were started differently ({}): give all of them the same "
                                      "options, data and program",
                                      problems));
}

std::optional<FoundCheckpoint> find_own_checkpoint(const Options& options, const PackedDataset& dataset,
                                                   Communicator& communicator) {
    auto found = find_newest_checkpoint(options.checkpoint.output, communicator);
    if (!found) {
        refuse_earlier_results(options.checkpoint.output, communicator);
        return found;
    }
    if (found->manifest.format < checkpoint_format_version)
        throw AgreedError(ExitCode::usage,
                          fmt::format("{} was written by a version before 0.2, whose dropout drops others: this run "
                                      "cannot go on from it to the same result. Use that version, or begin another run "
                                      "with its weights: --init {} --output another folder",
                                      found->directory.string(), found->directory.string()));
    const auto differences = identity_differences(found->manifest.identity, run_identity(options, dataset));
    if (!differences.empty())
        throw AgreedError(ExitCode::usage,
                          fmt::format("{} belongs to another run ({}): give the same options, another --output, or "
                                      "--fresh with an empty one",
                                      found->directory.string(), fmt::join(differences, "; ")));
    return found;
}

}    // namespace blip

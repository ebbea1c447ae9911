// blip_mpi evaluate: captions and scores of whole splits.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "blip/base/durable_file.h"
#include "blip/base/log.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/comm/run_together.h"
#include "blip/eval/evaluator.h"
#include "blip/params/arena.h"
#include "blip/report/progress.h"
#include "blip/train/run_identity.h"
#include "src/app/compute.h"
#include "src/app/startup.h"
#include "src/app/verbs.h"

namespace blip {

namespace {

std::vector<std::string> present_splits(const Options& options, const PackedDataset& dataset, bool speaks) {
    std::vector<std::string> present;
    for (const std::string& split : options.evaluate.splits) {
        if (dataset.has_split(split))
            present.push_back(split);
        else if (speaks)
            log_warning("{} has no split '{}': left out", dataset.path().string(), split);
    }
    if (present.empty()) dataset.split(options.evaluate.splits.front());    // throws, naming the splits that exist
    return present;
}

}    // namespace

ExitCode run_evaluate(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator) {
    const std::string changed = describe_changes(options);
    const int own_cores = set_threads(options, *communicator);
    std::optional<PackedDataset> dataset;
    std::optional<Captioner> captioner;
    std::optional<Arena> arena;
    ArenaPlacement placement;
    std::vector<std::string> splits;
    run_together(*communicator, [&] {
        dataset = PackedDataset::open(options.data.file);
        set_loader_threads(options, own_cores, dataset->encoding() == PackedEncoding::jpeg);
        splits = present_splits(options, *dataset, communicator->rank() == 0);
    });
    check_same_options(options, *communicator);
    adopt_model_shape(options, communicator.get());
    run_together(*communicator, [&] {
        captioner.emplace(options.model);
        placement = open_device(options.runtime, session.local_rank(), session.local_size());
        arena.emplace(weights_only_arena(captioner->layout(), placement));
        if (communicator->rank() == 0 && !options.dry_run)
            std::filesystem::create_directories(options.checkpoint.output / "result");
    });
    load_model(options.init, *arena, communicator.get());
    check_ranks_agree({{"data digest", dataset->data_digest()}}, *communicator);
    print_run(options, changed, describe_device(placement.device), *dataset, *communicator);
    if (options.dry_run) {
        log_info("dry run: everything needed is there and fits together; nothing was evaluated or written");
        return ExitCode::ok;
    }
    const Evaluator evaluator(*captioner, arena->weights(), arena->placement().device, *dataset, options.generate,
                              options.evaluate, options.data, options.data.loader_threads, options.runtime.progress,
                              *communicator);
    nlohmann::json report = {{"init", options.init.string()},
                             {"data", options.data.file.string()},
                             {"data_digest", dataset->data_digest()},
                             {"num_beams", options.generate.num_beams},
                             {"max_length", options.generate.max_length},
                             {"min_length", options.generate.min_length}};
    for (const std::string& split : splits) {
        const SplitEvaluation evaluation = evaluator.run(split, stop_requested);
        if (evaluation.interrupted) {
            if (communicator->rank() == 0) log_warning("stopped by a signal: split {} was not finished", split);
            return ExitCode::stopped;
        }
        if (communicator->rank() != 0) continue;
        write_results(options.checkpoint.output / "result" / (split + ".json"), evaluation.captions);
        report["splits"][split] = summary(evaluation);
        std::string scores;
        for (const auto& [name, value] : evaluation.scores) scores += fmt::format("  {} {:.4f}", name, value);
        log_info("{}: {} images in {}{}", split, evaluation.captions.size(), format_duration(evaluation.generate_s),
                 scores);
    }
    if (communicator->rank() == 0)
        write_file_durably(options.checkpoint.output / "evaluate.json", report.dump(1) + "\n");
    communicator->barrier("end of the evaluation", true);
    return ExitCode::ok;
}

}    // namespace blip

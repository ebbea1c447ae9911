// blip_mpi evaluate: captions and scores of whole splits.
#include <fmt/format.h>

#include <optional>
#include <set>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/checkpoint/init.h"
#include "blip/comm/run_together.h"
#include "blip/metrics/meteor.h"
#include "blip/params/arena.h"
#include "blip/report/progress.h"
#include "blip/tasks/caption/evaluator.h"
#include "blip/train/run_identity.h"
#include "src/app/device_choice.h"
#include "src/app/output_folder.h"
#include "src/app/run_captions.h"
#include "src/app/score/per_image.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"
#include "src/app/vocabulary_file.h"

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

// Keys of the file that no picture of these splits has are told.
void tell_unknown_keys(const PicturePrompts& prompts, const std::vector<std::string>& splits,
                       const PackedDataset& dataset) {
    std::set<std::string> known;
    for (const std::string& split : splits)
        for (const ImageKey& key : dataset.split(split).keys_I) known.insert(key.text);
    std::vector<std::string> unknown;
    for (const auto& [id, prompt] : prompts.own())
        if (!known.contains(id)) unknown.push_back(id);
    if (!unknown.empty()) log_warning("{}", prompts.describe_unknown(unknown));
}

std::string show(const std::map<std::string, double>& scores) {
    std::string text;
    for (const auto& [name, value] : scores) text += fmt::format("  {} {:.4f}", name, value);
    return text;
}

// What captions were made with, for evaluate.json.
nlohmann::json describe_generation(const Options& options) {
    const GenerateOptions& generate = options.generate;
    nlohmann::json made = {{"max_length", generate.max_length}, {"min_length", generate.min_length}};
    if (generate.sample)
        made.update(
            {{"sample", true}, {"seed", options.train.seed}, {"top_k", generate.top_k}, {"top_p", generate.top_p}});
    else
        made.update({{"num_beams", generate.num_beams}, {"search", generate.search}});
    return made;
}

// FILE, or with several splits the one's name before the ending.
std::filesystem::path per_image_file(std::filesystem::path file, const std::string& split, std::size_t splits) {
    if (splits == 1) return file;
    return file.replace_filename(fmt::format("{}_{}{}", file.stem().string(), split, file.extension().string()));
}

void write_images(const std::filesystem::path& file, const SplitTables& split, const ImageScores& scored) {
    std::vector<ImageReferences> images;
    for (const std::int64_t row : scored.image_rows) {
        const auto i = static_cast<std::size_t>(row);
        images.push_back(
            {split.keys_I[i], references_of(split, row), {}, split.files_I.empty() ? "" : split.files_I[i]});
    }
    write_per_image(file, {images, scored.captions, scored.details, scored.scores}, "image_id");
    log_info("{}: scores of {}", file.string(), counted(std::ssize(images), "image"));
}

}    // namespace

ExitCode run_evaluate(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator) {
    const std::string changed = describe_changes(options);
    // eval_nocaps.py gives 1.1 to every search
    const bool of_nocaps = !options.evaluate.nocaps.empty() && options.generate.repetition_penalty == 0;
    if (of_nocaps) options.generate.repetition_penalty = 1.1;
    const int own_cores = set_threads(options, communicator.get());
    set_evaluation_batch(options);
    std::optional<PackedDataset> dataset;
    std::optional<Captioner> captioner;
    std::optional<Arena> arena;
    ArenaPlacement placement;
    std::vector<std::string> splits;
    std::optional<PicturePrompts> prompts;
    ScoringFiles files;
    run_together(*communicator, [&] {
        dataset = PackedDataset::open(options.data.file);
        set_loader_threads(options, own_cores, dataset->encoding() == PackedEncoding::jpeg);
        splits = present_splits(options, *dataset, communicator->rank() == 0);
        const Vocabulary vocabulary = Vocabulary::from_text(dataset->vocabulary_text(), dataset->path().string());
        prompts.emplace(options.generate, WordPieceTokenizer(vocabulary));
        files = read_scoring_files(options.evaluate);
        check_nocaps_images(files, options.evaluate, splits, *dataset);
        if (communicator->rank() == 0) tell_unknown_keys(*prompts, splits, *dataset);
        if (communicator->rank() == 0 && !options.evaluate.meteor_data.empty())
            require_meteor_tables(options.evaluate.meteor_data);
    });
    check_same_options(options, *communicator);
    adopt_model_shape(options, communicator.get());
    run_together(*communicator, [&] {
        captioner.emplace(options.model);
        placement = open_device(options.runtime, session.local_rank(), session.local_size());
        arena.emplace(weights_only_arena(captioner->layout(), placement));
    });
    check_ranks_agree(
        {{"data digest", dataset->data_digest()}, {"prompts", digest_of(nlohmann::json(prompts->own()).dump())}},
        *communicator);
    load_model(options.init, *arena, communicator.get());
    run_together(*communicator, [&] {
        if (communicator->rank() != 0) return;
        warn_of_other_prompt(options.init, options.generate.prompt);
        if (options.dry_run)
            try_output(options.checkpoint.output);
        else
            make_folders(options.checkpoint.output / "result");
        if (!options.score.per_image.empty())
            for (const std::string& split : splits)
                check_can_be_written(per_image_file(options.score.per_image, split, splits.size()));
    });
    print_run(options, changed, describe_device(placement), *dataset, *communicator);
    if (of_nocaps)
        log_info(
            "NoCaps: repetition penalty {} in the search, as in the reference's NoCaps job; --repetition-penalty 1 "
            "for none",
            options.generate.repetition_penalty);
    if (options.dry_run) {
        log_info("dry run: everything needed is there and fits together; nothing was evaluated or written");
        return ExitCode::ok;
    }
    Evaluator evaluator(*captioner, arena->weights(), arena->placement().device, *dataset, options.generate, *prompts,
                        options.train.seed, options.evaluate, options.data, options.data.loader_threads,
                        options.runtime.progress, *communicator);
    evaluator.use(files);
    nlohmann::json report = {
        {"init", options.init.string()}, {"data", options.data.file.string()}, {"data_digest", dataset->data_digest()}};
    report.update(describe_generation(options));
    for (const std::string& split : splits) {
        ImageScores images;
        const bool wanted = !options.score.per_image.empty();
        const SplitEvaluation evaluation = evaluator.run(split, stop_requested, wanted ? &images : nullptr);
        if (evaluation.interrupted) {
            if (communicator->rank() == 0) log_warning("stopped by a signal: split {} was not finished", split);
            return ExitCode::stopped;
        }
        if (communicator->rank() != 0) continue;
        write_results(options.checkpoint.output / "result" / (split + ".json"), evaluation.captions, files.nocaps);
        if (wanted)
            write_images(per_image_file(options.score.per_image, split, splits.size()), dataset->split(split), images);
        report["splits"][split] = summary(evaluation);
        log_info("{}: {} in {}{}", split, counted(std::ssize(evaluation.captions), "image"),
                 format_duration(evaluation.generate_s), show(evaluation.scores));
        for (const auto& [domain, of_domain] : evaluation.domains)
            log_info("  {}: {}{}", domain, counted(of_domain.images, "image"), show(of_domain.scores));
        for (const std::string& line : beside_published(evaluation, *dataset)) log_info_text(line);
    }
    if (communicator->rank() == 0)
        write_file_durably(options.checkpoint.output / "evaluate.json", to_line(report, 1) + "\n");
    communicator->barrier("end of the evaluation");
    return ExitCode::ok;
}

}    // namespace blip

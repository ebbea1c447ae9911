// blip_mpi score: the COCO metrics of any captions, without model, data set or MPI. Called by main with the words
// behind the verb.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/parallel_for.h"
#include "blip/base/standard_output.h"
#include "blip/metrics/caption_files.h"
#include "blip/metrics/coco_eval.h"
#include "blip/metrics/meteor.h"
#include "blip/options/tool_options.h"
#include "src/app/score_output.h"
#include "src/app/verbs/verbs.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

struct ScoreOptions {
    fs::path references, results, per_image, cider_df, write_cider_df, meteor_data, compile_meteor;
    std::vector<std::string> splits, metrics;
    bool json = false, allow_missing = false;
    std::int64_t threads = 0;
};

const std::vector<std::string> metric_names = {"bleu", "meteor", "rouge_l", "cider"};

void declare_options(ToolOptions& table, ScoreOptions& options) {
    table.add(
        "references", "FILE", options.references,
        "what people wrote: COCO's or NoCaps' caption file, Karpathy's dataset_coco.json, the\n"
        "                           reference job's coco_karpathy_{val,test}.json, or {\"ID\": [\"caption\", ...]}");
    table.add("results", "FILE", options.results, "captions to score: [{\"image_id\": ID, \"caption\": TEXT}, ...]");
    table.add_names("split", "A,B", options.splits, {"train", "val", "test"}, "of dataset_coco.json, one or several");
    table.add_names("metrics", "A,B", options.metrics, metric_names,
                    "which of bleu,meteor,rouge_l,cider; all if left out");
    table.add("meteor-data", "DIR", options.meteor_data,
              "METEOR's tables, instead of where env/setup.sh --with-meteor puts them; an error (66) where DIR\n"
              "                           lacks them. Without it and without --metrics METEOR is left out where they "
              "are\n                           not installed");
    table.add("compile-meteor", "DIR", options.compile_meteor,
              "write the index of the tables in DIR beside them, and end: without it each start compiles them");
    table.add("per-image", "FILE", options.per_image,
              "write each image's scores: [{\"image_id\", \"Bleu_1\", ...}, ...]");
    table.add("cider-df", "FILE", options.cider_df,
              "CIDEr's document frequencies, {\"documents\": N, \"df\": {\"a dog\": IMAGES, ...}}, instead of those\n"
              "                           of the references that are scored");
    table.add("write-cider-df", "FILE", options.write_cider_df,
              "write such a file from all images of --references; --results may be left out then");
    table.add_flag("json", options.json,
                   "print one JSON object with the keys of pycocoevalcap; of a part (--allow-missing)\n"
                   "                           also \"images\", the number scored, and \"images_missing\"");
    table.add_flag("allow-missing", options.allow_missing,
                   "score the images there are results for; without it a missing one is an error,\n"
                   "                           as scores of a part are other numbers");
    table.add("threads", "N", options.threads, 0, 1024, "that tokenise and compute METEOR; 0 = one for each core");
}

std::unordered_map<std::string, std::string> by_image(const std::vector<ImageResult>& results,
                                                      const std::vector<ImageReferences>& references,
                                                      const ScoreOptions& options) {
    std::unordered_set<std::string> known;
    for (const ImageReferences& image : references) known.insert(image.id);
    std::unordered_map<std::string, std::string> captions;
    std::vector<std::string> repeated, unknown;
    for (const ImageResult& result : results) {
        if (!captions.emplace(result.id, result.caption).second) repeated.push_back(result.id);
        if (!known.contains(result.id)) unknown.push_back(result.id);
    }
    if (!repeated.empty())
        throw Error(ExitCode::bad_data, fmt::format("{} has more than one caption for some images ({}): {}",
                                                    options.results.string(), repeated.size(), name_ids(repeated)));
    if (!unknown.empty())
        throw Error(ExitCode::bad_data,
                    fmt::format("{} has captions for images ({}) without references in {}: {}{}",
                                options.results.string(), unknown.size(), options.references.string(),
                                name_ids(unknown), options.splits.empty() ? "" : " (is it the right --split?)"));
    return captions;
}

// Images with a result, in the references' order; references keeps those alone. Says of a part which it is.
std::vector<ScoredCaption> match(std::vector<ImageReferences>& references,
                                 std::unordered_map<std::string, std::string>& captions, const ScoreOptions& options) {
    std::vector<ScoredCaption> scored;
    std::vector<std::string> matched, missing;
    for (ImageReferences& image : references) {
        const auto found = captions.find(image.id);
        if (found == captions.end()) {
            missing.push_back(image.id);
            continue;
        }
        matched.push_back(image.id);
        scored.push_back({0, std::move(found->second), std::move(image.captions)});
    }
    if (!missing.empty() && !options.allow_missing)
        throw Error(ExitCode::bad_data,
                    fmt::format("{} lacks {} of the {} images in {}: {}; --allow-missing scores the others",
                                options.results.string(), missing.size(), references.size(),
                                options.references.string(), name_ids(missing)));
    if (!missing.empty()) {
        std::erase_if(references, [&](const ImageReferences& image) { return !captions.contains(image.id); });
        log_warning("scored {} of {} images{}{}", matched.size(), matched.size() + missing.size(),
                    matched.size() < missing.size() ? ": " : "; without a result: ",
                    name_ids(matched.size() < missing.size() ? matched : missing));
    }
    return scored;
}

void write_frequencies(const fs::path& file, const std::vector<ImageReferences>& images, int threads) {
    std::vector<std::vector<std::string>> references;
    for (const ImageReferences& image : images) references.push_back(image.captions);
    const DocumentFrequencies frequencies = document_frequencies(references, threads);
    write_document_frequencies(file, frequencies);
    log_info("{}: {} n-grams of {} images", file.string(), frequencies.counts.size(), frequencies.documents);
}

bool wanted(const ScoreOptions& options, const char* metric) {
    return options.metrics.empty() ||
           std::find(options.metrics.begin(), options.metrics.end(), metric) != options.metrics.end();
}

// Scores of NoCaps' domains, each by itself as its server computes them; nothing for other data.
std::map<std::string, CocoScores> domain_scores(const std::vector<ImageReferences>& images,
                                                const std::vector<ScoredCaption>& scored,
                                                const CocoEvalOptions& chosen) {
    std::map<std::string, std::vector<ScoredCaption>> by_domain;
    for (std::size_t i = 0; i < images.size(); ++i)
        if (!images[i].domain.empty()) by_domain[images[i].domain].push_back(scored[i]);
    std::map<std::string, CocoScores> scores;
    for (const auto& [domain, captions] : by_domain) scores.emplace(domain, coco_scores(captions, chosen));
    return scores;
}

// Whoever asks for METEOR by an option gets an error where it cannot be computed, others its reason.
MeteorTables meteor_tables(const ScoreOptions& options, const ToolOptions& given) {
    if (!wanted(options, "meteor")) return {};
    if (!options.metrics.empty() || given.given("meteor-data")) return {MeteorData::open(options.meteor_data), ""};
    return find_meteor({});
}

}    // namespace

ExitCode run_score(const std::vector<std::string>& words) {
    ScoreOptions options;
    ToolOptions table("blip_mpi score",
                      "Scores captions as pycocoevalcap does: Bleu_1..4, METEOR, ROUGE_L and CIDEr, without Java.\n"
                      "  blip_mpi score --references captions_val2014.json --results results.json\n"
                      "Exit codes: 0 done, 64 wrong options, 65 bad data, 66 missing files, 74 I/O.");
    declare_options(table, options);
    if (!table.parse(words)) {
        write_standard_output(table.help(), "help");
        return ExitCode::ok;
    }
    if (table.given("compile-meteor")) {
        compile_meteor_index(options.compile_meteor);
        return ExitCode::ok;
    }
    for (const char* needed : {"references", "results"})
        if (!table.given(needed) && (needed == std::string_view("references") || !table.given("write-cider-df")))
            throw Error(ExitCode::usage,
                        fmt::format("score needs --{}, for example: blip_mpi score --references captions_val2014.json "
                                    "--results results.json",
                                    needed));
    if (table.given("per-image")) check_can_be_written(options.per_image);
    std::vector<ImageReferences> references = read_references(options.references, options.splits);
    const std::size_t all_images = references.size();
    const int threads = thread_count(static_cast<int>(options.threads));
    if (table.given("write-cider-df")) {
        write_frequencies(options.write_cider_df, references, threads);
        if (!table.given("results")) return ExitCode::ok;
    }
    auto captions = by_image(read_results(options.results), references, options);
    const std::vector<ScoredCaption> scored = match(references, captions, options);
    CocoEvalOptions chosen;
    chosen.bleu = wanted(options, "bleu");
    chosen.rouge_l = wanted(options, "rouge_l");
    chosen.cider = wanted(options, "cider");
    const MeteorTables meteor = meteor_tables(options, table);
    if (meteor.data) chosen.meteor = &*meteor.data;
    chosen.threads = threads;
    if (table.given("cider-df"))
        chosen.frequencies = std::make_shared<const DocumentFrequencies>(read_document_frequencies(options.cider_df));
    const ScoreReport report = {coco_scores(scored, chosen), domain_scores(references, scored, chosen), scored.size(),
                                all_images - scored.size(), meteor.problem};
    if (options.json && !meteor.problem.empty()) log_warning("METEOR not computed: {}", meteor.problem);
    // first, so that a disk that is full by now costs the file alone
    write_standard_output(options.json ? score_json(report) : score_table(report), "scores");
    if (table.given("per-image")) write_per_image(options.per_image, references, report.scores);
    return ExitCode::ok;
}

}    // namespace blip

// blip_mpi score: the COCO metrics of any captions, without model, data set or MPI; with --clip CLIPScore, by a
// function that the caller gives. Called by main.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/parallel_for.h"
#include "blip/base/printable.h"
#include "blip/base/standard_output.h"
#include "blip/metrics/caption_files.h"
#include "blip/metrics/cider.h"
#include "blip/metrics/coco_eval.h"
#include "blip/metrics/coco_tokens.h"
#include "blip/metrics/meteor.h"
#include "blip/metrics/resampling.h"
#include "blip/metrics/reward.h"
#include "blip/metrics/signature.h"
#include "blip/options/options.h"
#include "src/app/score/large_libraries.h"
#include "src/app/score/matching.h"
#include "src/app/score/per_image.h"
#include "src/app/score/report.h"
#include "src/app/verbs/verbs.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// One run of a system: a file of results.
struct RunOfSystem {
    MatchedCaptions captions;
    std::vector<std::string> files;    // of the pictures that are scored, where results name them
    std::vector<ScoredCaption> scored;
    std::vector<std::vector<std::string>> further;    // captions of the scored images
    CocoScores scores;
    CocoDetails details;
};
struct SystemRuns {
    std::string name;
    std::vector<RunOfSystem> runs;
};

SystemRuns read_system(const fs::path& path, const std::vector<ImageReferences>& references,
                       const CaptionColumns& columns, const ScoreOptions& options) {
    SystemRuns system{path.string(), {}};
    for (const fs::path& file : files_of_runs(path)) {
        RunOfSystem run;
        run.captions = match_captions(read_results(file, columns), references, file, options);
        std::vector<std::string> missing;
        for (std::size_t i = 0; i < references.size(); ++i)
            if (!run.captions.first[i]) missing.push_back(references[i].id.text);
        if (!missing.empty() && !options.allow_missing)
            throw Error(ExitCode::bad_data, "{} lacks {} of the {} images in {}: {}; --allow-missing scores the others",
                        file.string(), missing.size(), references.size(), options.references.string(),
                        some_of(missing));
        system.runs.push_back(std::move(run));
    }
    return system;
}

// Leaves the images that all runs have a caption of, in the references' order. Says of a part which it is.
void keep_complete(std::vector<ImageReferences>& references, std::vector<SystemRuns>& systems) {
    std::vector<std::string> kept, missing;
    std::vector<ImageReferences> images;
    for (std::size_t i = 0; i < references.size(); ++i) {
        const bool complete = std::all_of(systems.begin(), systems.end(), [&](const SystemRuns& system) {
            return std::all_of(system.runs.begin(), system.runs.end(),
                               [&](const RunOfSystem& run) { return run.captions.first[i].has_value(); });
        });
        (complete ? kept : missing).push_back(references[i].id.text);
        if (!complete) continue;
        for (SystemRuns& system : systems)
            for (RunOfSystem& run : system.runs) {
                run.scored.push_back({references[i].id.text, std::move(run.captions.first[i]->caption), {}});
                run.files.push_back(std::move(run.captions.first[i]->file));
                run.further.push_back(std::move(run.captions.further[i]));
            }
        images.push_back(std::move(references[i]));
    }
    references = std::move(images);
    if (!missing.empty())
        log_warning("scored {} of {} images{}{}", kept.size(), kept.size() + missing.size(),
                    kept.size() < missing.size() ? ": " : "; without a result: ",
                    some_of(kept.size() < missing.size() ? kept : missing));
}

// References are tokenised once.
void score_runs(std::vector<SystemRuns>& systems, const std::vector<ImageReferences>& references,
                const CocoEvalOptions& chosen) {
    const std::vector<std::vector<Tokens>>* tokens = nullptr;
    for (SystemRuns& system : systems)
        for (RunOfSystem& run : system.runs) {
            for (std::size_t i = 0; i < references.size(); ++i)
                if (tokens == nullptr)
                    run.scored[i].references = references[i].captions;
                else
                    run.scored[i].reference_tokens = (*tokens)[i];
            run.scores = coco_scores(run.scored, chosen, &run.details);
            tokens = &systems.front().runs.front().details.reference_tokens;
        }
}

void write_frequencies(const ScoreOptions& options, const std::vector<ImageReferences>& images, int threads) {
    std::vector<std::vector<std::string_view>> references;
    for (const ImageReferences& image : images) references.emplace_back(image.captions.begin(), image.captions.end());
    DocumentFrequencies frequencies = options.end_token ? CaptionReward::frequencies_of(references, threads)
                                                        : document_frequencies(references, threads);
    if (options.splits.size() == 1) frequencies.split = options.splits.front();
    const fs::path written = write_document_frequencies(options.write_cider_df, frequencies);
    log_info("{}: {} of {}", written.string(), counted(std::ssize(frequencies.counts), "n-gram"),
             counted(frequencies.documents, "image"));
}

bool wanted(const ScoreOptions& options, const char* metric) {
    return options.metrics.empty() ||
           std::find(options.metrics.begin(), options.metrics.end(), metric) != options.metrics.end();
}

// CLIPScore and RefCLIPScore beside the others. Returns what the signature says of them.
std::string add_clip_scores(std::vector<SystemRuns>& systems, const ClipResults& clip) {
    auto found = clip.runs.begin();
    const auto with_mean = [](const std::vector<double>& per_image) {
        return CaptionScores{mean(per_image), per_image};
    };
    for (SystemRuns& system : systems)
        for (RunOfSystem& run : system.runs) {
            add_mean_score("CLIPScore", with_mean(found->clip), run.scores, run.details);
            add_mean_score("RefCLIPScore", with_mean(found->ref_clip), run.scores, run.details);
            ++found;
        }
    return fmt::format("w={},prompt='{}',weights-{}", clip_weight, clip_prompt, clip.digest);
}

ClipResults compute_clip(const Options& all, const ClipScoring& clip, const std::vector<SystemRuns>& systems,
                         std::vector<ImageReferences> references) {
    std::vector<std::vector<std::string>> runs;
    for (const SystemRuns& system : systems)
        for (const RunOfSystem& run : system.runs) {
            std::vector<std::string>& captions = runs.emplace_back();
            for (std::size_t i = 0; i < references.size(); ++i) {
                captions.push_back(run.scored[i].caption);
                if (references[i].file.empty()) references[i].file = run.files[i];
            }
        }
    return clip(all, references, std::move(runs));
}

// Scores of NoCaps' domains, each by itself as its server computes them; nothing for other data.
std::map<std::string, DomainReport> domain_scores(const std::vector<ImageReferences>& images, const RunOfSystem& run,
                                                  const CocoEvalOptions& chosen) {
    std::map<std::string, std::vector<std::size_t>> by_domain;
    for (std::size_t i = 0; i < images.size(); ++i)
        if (!images[i].domain.empty()) by_domain[images[i].domain].push_back(i);
    std::map<std::string, DomainReport> domains;
    for (const auto& [domain, own] : by_domain) {
        std::vector<ScoredCaption> captions;
        for (const std::size_t i : own) captions.push_back(run.scored[i]);
        DomainReport& report = domains[domain] = {own.size(), corpus_scores(coco_scores(captions, chosen))};
        for (const char* name : {"CLIPScore", "RefCLIPScore"}) {    // means over images
            const auto found = run.scores.find(name);
            if (found == run.scores.end()) continue;
            std::vector<double> scores;
            for (const std::size_t i : own) scores.push_back(found->second.per_image[i]);
            report.scores[name] = mean(scores);
        }
    }
    return domains;
}

// Whoever asks for METEOR by an option gets an error where it cannot be computed, others its reason.
MeteorTables meteor_tables(const ScoreOptions& options, const fs::path& folder) {
    if (!wanted(options, "meteor")) return {};
    if (!options.metrics.empty() || !folder.empty()) return {MeteorData::open(folder), ""};
    return find_meteor({});
}

// What a reader has to know of CIDEr whose frequencies are those of few references.
std::string about_cider(std::size_t images) {
    constexpr std::size_t few = 100;
    if (images >= few) return "";
    if (images == 1)
        return "CIDEr of one image is 0: each n-gram of its references is in all images that there are, and weighs "
               "nothing; --cider-df has the frequencies of others: coco-val2014, or a FILE";
    return fmt::format(
        "CIDEr depends on which images are scored together, and these are few ({}): compare it with no "
        "other set's, or give --cider-df coco-val2014 or another FILE",
        images);
}

double mean_spice(const ScoreOptions& options, const std::vector<ImageReferences>& images) {
    std::unordered_map<std::string, double> by_image;
    for (const auto& [id, score] : read_spice(options.spice, {options.id_column, ""})) by_image[plain_id(id)] = score;
    std::vector<double> scores;
    std::vector<std::string> missing;
    for (const ImageReferences& image : images)
        if (const auto found = by_image.find(plain_id(image.id.text)); found != by_image.end())
            scores.push_back(found->second);
        else
            missing.push_back(image.id.text);
    if (!missing.empty())
        throw Error(ExitCode::bad_data, "--spice {} lacks {} of the {} images that are scored: {}",
                    options.spice.string(), missing.size(), images.size(), some_of(missing));
    return mean(scores);
}

// CIDEr, or the first of --metrics.
std::string metric_of_worst(const ScoreOptions& options) {
    const std::map<std::string, std::string> names = {
        {"bleu", "Bleu_4"}, {"meteor", "METEOR"}, {"rouge_l", "ROUGE_L"}, {"cider", "CIDEr"}};
    return wanted(options, "cider") ? "CIDEr" : names.at(options.metrics.front());
}

std::vector<WorstImage> worst_images(const RunOfSystem& run, const std::vector<ImageReferences>& images,
                                     const std::string& metric, int count) {
    const std::vector<double>& scores = run.scores.at(metric).per_image;
    std::vector<std::size_t> order(images.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(count)));
    std::vector<WorstImage> worst;
    for (const std::size_t i : order)
        worst.push_back({images[i].id, scores[i], run.scored[i].caption, images[i].captions});
    return worst;
}

ReferenceSet set_of(const std::vector<ImageReferences>& images) {
    std::vector<ReferenceCaptions> all;
    for (const ImageReferences& image : images)
        all.push_back({image.id.text, {image.captions.begin(), image.captions.end()}});
    return reference_set(std::move(all));
}

// How different the captions of a picture are, where the results have several.
std::optional<Diversity> diversity_of(const RunOfSystem& run, const CocoEvalOptions& chosen) {
    std::vector<std::string_view> lines;
    std::vector<std::size_t> several;
    for (std::size_t i = 0; i < run.further.size(); ++i)
        if (!run.further[i].empty()) {
            several.push_back(i);
            lines.insert(lines.end(), run.further[i].begin(), run.further[i].end());
        }
    if (several.empty()) return std::nullopt;
    std::vector<Tokens> further = coco_tokens(lines, chosen.threads);
    std::vector<std::vector<Tokens>> captions;
    auto next = std::make_move_iterator(further.begin());
    for (const std::size_t i : several) {
        auto& own = captions.emplace_back();
        own.push_back(run.details.hypotheses[i]);
        for (std::size_t k = 0; k < run.further[i].size(); ++k) own.push_back(*next++);
    }
    const std::vector<double> by_image = chosen.cider_scorer ? self_cider(captions, *chosen.cider_scorer)
                                                             : self_cider(captions, run.details.reference_tokens);
    return Diversity{by_image.size(), lines.size() + by_image.size(), mean(by_image)};
}

// Scores of systems, and how far they are known.
void report_systems(ScoreReport& report, const std::vector<SystemRuns>& systems, const ScoreOptions& options,
                    const CocoEvalOptions& chosen) {
    std::vector<ImageStatistics> statistics;
    for (const SystemRuns& system : systems) {
        const RunOfSystem& first = system.runs.front();
        SystemReport& own = report.systems.emplace_back();
        own.name = system.name;
        own.captions = analyse_captions(first.details.hypotheses, first.details.reference_tokens);
        own.diversity = diversity_of(first, chosen);
        own.scores = corpus_scores(first.scores);
        std::vector<std::vector<SummedStatistics>> runs;
        for (const RunOfSystem& run : system.runs) runs.push_back(run.details.statistics);
        statistics.emplace_back(runs);
        if (system.runs.size() > 1) {
            const std::vector<double> corpus = statistics.back().corpus();
            for (std::size_t k = 0; k < corpus.size(); ++k) own.scores[statistics.back().scores()[k]] = corpus[k];
        }
    }
    if (!options.intervals && systems.size() == 1) return;
    report.resampling.seed = options.seed;
    report.resampling.threads = chosen.threads;
    report.compared = statistics.front().scores();
    ResampledScores resampled = resample_scores(statistics, report.resampling);
    for (std::size_t s = 0; s < systems.size(); ++s)
        for (std::size_t k = 0; k < report.compared.size(); ++k)
            report.systems[s].intervals[report.compared[k]] = resampled.intervals[s][k];
    report.pairs = std::move(resampled.pairs);
}

}    // namespace

ExitCode run_score(const Options& all, const PackedReader& packed, const ClipScoring& clip) {
    const ScoreOptions& options = all.score;
    if (!options.compile_meteor.empty()) {
        compile_meteor_index(options.compile_meteor);
        return ExitCode::ok;
    }
    const bool of_images = !options.per_image.empty() || !options.output.empty() || options.worst > 0;
    if (of_images && files_of_runs(options.results).size() > 1)
        throw Error(ExitCode::usage, "--per-image, --output and --worst are of one run: give --results one file");
    std::vector<fs::path> read = files_of_runs(options.results);
    for (const fs::path& system : options.compare)
        for (fs::path& file : files_of_runs(system)) read.push_back(std::move(file));
    read.insert(read.end(), {options.references, options.spice, all.evaluate.cider_df});
    for (const fs::path& file : {options.per_image, options.output, options.write_cider_df}) check_not_read(file, read);
    make_folders(options.output.parent_path());    // as the runners of capevalkit's own metrics do
    for (const fs::path& file : {options.per_image, options.output})
        if (!file.empty()) check_can_be_written(file);
    std::set<std::string> found;
    const CaptionColumns columns{options.id_column, options.caption_column, &found};
    std::vector<ImageReferences> references =
        is_hdf5(options.references) ? packed(options) : read_references(options.references, options.splits, columns);
    const std::size_t all_images = references.size();
    const int threads = thread_count(all.runtime.threads);
    if (!options.write_cider_df.empty()) {
        write_frequencies(options, references, threads);
        if (options.results.empty()) return ExitCode::ok;
    }
    std::vector<SystemRuns> systems = {read_system(options.results, references, columns, options)};
    for (const fs::path& path : options.compare) systems.push_back(read_system(path, references, columns, options));
    for (const auto& [option, name] : {std::pair("id-column", columns.id), {"caption-column", columns.caption}})
        if (!name.empty() && !found.contains(name) && options.spice.empty())
            throw Error(ExitCode::bad_data, "--{} {}: neither references nor results have such a column", option, name);
    keep_complete(references, systems);
    CocoEvalOptions chosen;
    chosen.bleu = wanted(options, "bleu");
    chosen.rouge_l = wanted(options, "rouge_l");
    chosen.cider = wanted(options, "cider");
    const MeteorTables meteor = meteor_tables(options, all.evaluate.meteor_data);
    if (meteor.data) chosen.meteor = &*meteor.data;
    chosen.threads = threads;
    std::string frequencies;
    if (!all.evaluate.cider_df.empty()) {
        const DocumentFrequencies given = read_document_frequencies(all.evaluate.cider_df);
        frequencies = frequencies_digest(given);
        chosen.cider_scorer = std::make_shared<const CiderScorer>(given);
    }
    std::optional<ClipResults> clip_results;    // first: what is missing for it is told before any work
    if (!options.clip.empty()) clip_results = compute_clip(all, clip, systems, references);
    score_runs(systems, references, chosen);
    const std::string about_clip = clip_results ? add_clip_scores(systems, *clip_results) : "";

    ScoreReport report;
    report_systems(report, systems, options, chosen);
    const RunOfSystem& first = systems.front().runs.front();
    if (systems.size() == 1) report.domains = domain_scores(references, first, chosen);
    report.images = references.size();
    report.missing = all_images - references.size();
    report.without_meteor = meteor.problem;
    if (chosen.cider && frequencies.empty()) report.about_cider = about_cider(report.images);
    std::vector<std::string> metrics;
    for (const auto& [name, scores] : first.scores) metrics.push_back(name);
    report.signature = score_signature(set_of(references), metrics, frequencies, about_clip);
    if (!options.spice.empty()) report.spice = mean_spice(options, references);
    if (options.worst > 0) {
        report.worst_metric = metric_of_worst(options);
        report.worst = worst_images(first, references, report.worst_metric, options.worst);
    }
    if (all.json && !meteor.problem.empty()) log_warning("METEOR not computed: {}", meteor.problem);
    if (all.json && !report.about_cider.empty()) log_warning("{}", report.about_cider);
    // first, so that a disk that is full by now costs the file alone
    write_standard_output(all.json ? score_json(report, options) : score_text(report, options), "scores");
    const PerImage rows = {references, first.scored, first.details, first.scores};
    if (!options.per_image.empty()) write_per_image(options.per_image, rows, "image_id");
    if (!options.output.empty()) write_metrics_by_item(options.output, rows);
    return ExitCode::ok;
}

}    // namespace blip

// blip_mpi score: the COCO metrics of any captions, without model, data set or MPI. Called by main.

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
#include "blip/options/options.h"
#include "src/app/score_output.h"
#include "src/app/verbs/verbs.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

std::unordered_map<std::string, std::string> by_image(const std::vector<ImageResult>& results,
                                                      const std::vector<ImageReferences>& references,
                                                      const ScoreOptions& options) {
    std::unordered_set<std::string> known;
    for (const ImageReferences& image : references) known.insert(image.id.text);
    std::unordered_map<std::string, std::string> captions;
    std::vector<std::string> repeated, unknown;
    for (const ImageResult& result : results) {
        if (!captions.emplace(result.id, result.caption).second) repeated.push_back(result.id);
        if (!known.contains(result.id)) unknown.push_back(result.id);
    }
    if (!repeated.empty())
        throw Error(ExitCode::bad_data, "{} has more than one caption for some images ({}): {}",
                    options.results.string(), repeated.size(), name_ids(repeated));
    if (!unknown.empty())
        throw Error(ExitCode::bad_data, "{} has captions for images ({}) without references in {}: {}{}",
                    options.results.string(), unknown.size(), options.references.string(), name_ids(unknown),
                    options.splits.empty() ? "" : " (is it the right --split?)");
    return captions;
}

// Images with a result, in the references' order; references keeps those alone. Says of a part which it is.
std::vector<ScoredCaption> match(std::vector<ImageReferences>& references,
                                 std::unordered_map<std::string, std::string>& captions, const ScoreOptions& options) {
    std::vector<ScoredCaption> scored;
    std::vector<std::string> matched, missing;
    for (ImageReferences& image : references) {
        const auto found = captions.find(image.id.text);
        if (found == captions.end()) {
            missing.push_back(image.id.text);
            continue;
        }
        matched.push_back(image.id.text);
        scored.push_back({image.id.text, std::move(found->second), std::move(image.captions)});
    }
    if (!missing.empty() && !options.allow_missing)
        throw Error(ExitCode::bad_data, "{} lacks {} of the {} images in {}: {}; --allow-missing scores the others",
                    options.results.string(), missing.size(), references.size(), options.references.string(),
                    name_ids(missing));
    if (!missing.empty()) {
        std::erase_if(references, [&](const ImageReferences& image) { return !captions.contains(image.id.text); });
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
MeteorTables meteor_tables(const ScoreOptions& options, const fs::path& folder) {
    if (!wanted(options, "meteor")) return {};
    if (!options.metrics.empty() || !folder.empty()) return {MeteorData::open(folder), ""};
    return find_meteor({});
}

}    // namespace

ExitCode run_score(const Options& all) {
    const ScoreOptions& options = all.score;
    if (!options.compile_meteor.empty()) {
        compile_meteor_index(options.compile_meteor);
        return ExitCode::ok;
    }
    if (!options.per_image.empty()) check_can_be_written(options.per_image);
    std::vector<ImageReferences> references = read_references(options.references, options.splits);
    const std::size_t all_images = references.size();
    const int threads = thread_count(all.runtime.threads);
    if (!options.write_cider_df.empty()) {
        write_frequencies(options.write_cider_df, references, threads);
        if (options.results.empty()) return ExitCode::ok;
    }
    auto captions = by_image(read_results(options.results), references, options);
    const std::vector<ScoredCaption> scored = match(references, captions, options);
    CocoEvalOptions chosen;
    chosen.bleu = wanted(options, "bleu");
    chosen.rouge_l = wanted(options, "rouge_l");
    chosen.cider = wanted(options, "cider");
    const MeteorTables meteor = meteor_tables(options, all.evaluate.meteor_data);
    if (meteor.data) chosen.meteor = &*meteor.data;
    chosen.threads = threads;
    if (!all.evaluate.cider_df.empty())
        chosen.cider_scorer = std::make_shared<const CiderScorer>(read_document_frequencies(all.evaluate.cider_df));
    const ScoreReport report = {coco_scores(scored, chosen), domain_scores(references, scored, chosen), scored.size(),
                                all_images - scored.size(), meteor.problem};
    if (all.json && !meteor.problem.empty()) log_warning("METEOR not computed: {}", meteor.problem);
    // first, so that a disk that is full by now costs the file alone
    write_standard_output(all.json ? score_json(report) : score_table(report), "scores");
    if (!options.per_image.empty()) write_per_image(options.per_image, references, report.scores);
    return ExitCode::ok;
}

}    // namespace blip

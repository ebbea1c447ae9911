// See run_captions.h.
#include "src/app/run_captions.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/parallel_for.h"
#include "blip/metrics/coco_eval.h"
#include "blip/report/run_folder.h"
#include "blip/text/image_key.h"

namespace blip {

namespace {

using nlohmann::json;
constexpr double same_score = 1e-9;

// Those of pictures with references, in the order of the split, as the evaluation scores them.
std::vector<ScoredCaption> with_references(const std::filesystem::path& file, const SplitTables& split) {
    auto captions = read_result(file);
    if (!captions || captions->empty()) throw Error(ExitCode::bad_data, "{}: not a file of captions", file.string());
    std::vector<ScoredCaption> all;
    for (std::int64_t row = 0; row < split.image_count(); ++row) {
        const std::string& key = split.keys_I[static_cast<std::size_t>(row)].text;
        const auto found = captions->extract(key);
        if (found.empty()) continue;    // --limit
        ScoredCaption one{key, found.mapped().caption, references_of(split, row)};
        if (!one.references.empty()) all.push_back(std::move(one));
    }
    if (!captions->empty())
        throw Error(ExitCode::bad_data, "{}: the data set's {} lacks its picture {}", file.string(), split.name,
                    captions->begin()->first);
    return all;
}

}    // namespace

std::filesystem::path result_file(const std::filesystem::path& run, const std::string& split, int epoch) {
    return run / "result" / fmt::format("{}_epoch{}.json", split, epoch);
}

std::optional<std::map<std::string, ResultCaption>> read_result(const std::filesystem::path& file) {
    const json rows = json::parse(read_file(file), nullptr, false);
    if (!rows.is_array()) return std::nullopt;
    std::map<std::string, ResultCaption> captions;
    for (const json& row : rows) {
        if (!row.is_object() || !row.contains("image_id") || !row.contains("caption") || !row["caption"].is_string())
            return std::nullopt;
        captions[key_of_result(row)] = {row["caption"], number_of(row, "log_probability")};
    }
    return captions;
}

std::vector<std::string> references_of(const SplitTables& split, std::int64_t image_row) {
    std::vector<std::string> references;
    const auto [first, last] = caption_rows(split, image_row);
    for (std::int64_t caption = first; caption < last; ++caption) references.emplace_back(split.text(caption));
    return references;
}

std::map<std::string, Interval> score_intervals(const std::filesystem::path& results, const SplitTables& split,
                                                const std::map<std::string, double>& scores,
                                                const MeteorTables& meteor) {
    CocoEvalOptions options;
    options.threads = thread_count(0);
    options.meteor = meteor.data && scores.contains("METEOR") ? &*meteor.data : nullptr;
    CocoDetails details;
    const auto computed = corpus_scores(coco_scores(with_references(results, split), options, &details));
    for (const auto& [name, value] : scores)
        if (const auto own = computed.find(name); own != computed.end() && std::abs(own->second - value) > same_score)
            throw Error(ExitCode::bad_data, "{}: its captions have {} {:.4f} by the data set's references, not {:.4f}",
                        results.string(), name, own->second, value);
    const ImageStatistics statistics({details.statistics});
    ResamplingOptions resampling;
    resampling.threads = options.threads;
    const ResampledScores resampled = resample_scores({statistics}, resampling);
    std::map<std::string, Interval> intervals;
    for (std::size_t k = 0; k < statistics.scores().size(); ++k)
        intervals[statistics.scores()[k]] = resampled.intervals.front()[k];
    return intervals;
}

}    // namespace blip

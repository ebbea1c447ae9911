// See score_intervals.h.
#include "src/app/score_intervals.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

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

// By the picture's key.
std::map<std::string, std::string> captions_of(const std::filesystem::path& file) {
    const json rows = json::parse(read_file(file), nullptr, false);
    std::map<std::string, std::string> captions;
    bool whole = rows.is_array();
    if (whole)
        for (const json& row : rows) {
            whole = whole && row.is_object() && row.contains("image_id") && row.contains("caption") &&
                    row["caption"].is_string();
            if (whole) captions[key_of_result(row)] = row["caption"];
        }
    if (!whole || captions.empty()) throw Error(ExitCode::bad_data, "{}: not a file of captions", file.string());
    return captions;
}

// Those of pictures with references, in the order of the split, as the evaluation scores them.
std::vector<ScoredCaption> with_references(const std::filesystem::path& file, const SplitTables& split) {
    std::map<std::string, std::string> captions = captions_of(file);
    std::vector<ScoredCaption> all;
    for (std::int64_t row = 0; row < split.image_count(); ++row) {
        const std::string& key = split.keys_I[static_cast<std::size_t>(row)].text;
        const auto found = captions.find(key);
        if (found == captions.end()) continue;    // --limit
        ScoredCaption one{key, std::move(found->second), {}};
        captions.erase(found);
        const auto [first, last] = caption_rows(split, row);
        for (std::int64_t c = first; c < last; ++c) one.references.emplace_back(split.text(c));
        if (!one.references.empty()) all.push_back(std::move(one));
    }
    if (!captions.empty())
        throw Error(ExitCode::bad_data, "{}: the data set's {} lacks its picture {}", file.string(), split.name,
                    captions.begin()->first);
    return all;
}

}    // namespace

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

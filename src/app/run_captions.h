// Captions of a run's evaluations as its folder keeps them, the references beside them, and how far their scores are
// known. Used by report_page, run_follower and the verbs evaluate and score.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "blip/data/packed/dataset.h"
#include "blip/metrics/meteor.h"
#include "blip/metrics/resampling.h"

namespace blip {

// Of a run's folder the captions of a split after an epoch.
std::filesystem::path result_file(const std::filesystem::path& run, const std::string& split, int epoch);

struct ResultCaption {
    std::string caption;
    double log_probability = 0;    // NaN where the file has none
};
// Of a file of result/, by the picture's key; nullopt where it is no file of captions. Throws missing_input, io.
std::optional<std::map<std::string, ResultCaption>> read_result(const std::filesystem::path& file);
// The captions that the split has of a picture.
std::vector<std::string> references_of(const SplitTables& split, std::int64_t image_row);

// 95 % intervals by metric, as `score --intervals` computes them (metrics/resampling.h), of the captions in a file of
// result/, scored against the split's references. scores: what the evaluation told of the same captions: without
// METEOR's tables, METEOR is left out. Throws missing_input, or bad_data naming the file where it is damaged, has a
// picture that the split lacks, or its captions have other scores: then other references or document frequencies made
// those.
std::map<std::string, Interval> score_intervals(const std::filesystem::path& results, const SplitTables& split,
                                                const std::map<std::string, double>& scores,
                                                const MeteorTables& meteor);

}    // namespace blip

// How far the scores of a run's evaluation are known, from what its folder keeps of it. Called by report_page where
// runs stand side by side.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "blip/data/packed/dataset.h"
#include "blip/metrics/meteor.h"
#include "blip/metrics/resampling.h"

namespace blip {

// 95 % intervals by metric, as `score --intervals` computes them (metrics/resampling.h), of the captions in a file of
// result/, scored against the split's references. scores: what the evaluation told of the same captions: without
// METEOR's tables, METEOR is left out. Throws missing_input, or bad_data naming the file where it is damaged, has a
// picture that the split lacks, or its captions have other scores: then other references or document frequencies made
// those.
std::map<std::string, Interval> score_intervals(const std::filesystem::path& results, const SplitTables& split,
                                                const std::map<std::string, double>& scores,
                                                const MeteorTables& meteor);

}    // namespace blip

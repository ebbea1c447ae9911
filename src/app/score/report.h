// What the verb score prints. Called by it.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "blip/metrics/analysis.h"
#include "blip/metrics/coco_eval.h"
#include "blip/metrics/resampling.h"
#include "blip/options/options.h"
#include "blip/text/image_key.h"

namespace blip {

// Of the pictures that have several captions.
struct Diversity {
    std::size_t images = 0, captions = 0;
    double self_cider = 0;    // mean over the pictures
};

struct SystemReport {
    std::string name;                             // its file or files
    std::map<std::string, double> scores;         // by metric
    std::map<std::string, Interval> intervals;    // empty unless asked for
    CaptionAnalysis captions;                     // of its first run
    std::optional<Diversity> diversity;           // likewise
};

struct DomainReport {
    std::size_t images = 0;
    std::map<std::string, double> scores;
};

struct WorstImage {
    ImageKey id;
    double score = 0;
    std::string caption;
    std::vector<std::string> references;
};

struct ScoreReport {
    std::vector<SystemReport> systems;              // --results, then each --compare
    std::map<std::string, DomainReport> domains;    // of NoCaps' images, each by itself; empty for others
    std::size_t images = 0, missing = 0;            // scored; of the references, without a result
    std::string without_meteor;                     // why it was not computed; empty if it was or is not wanted
    std::string about_cider;                        // what has to be known of it; may be empty
    std::string signature;
    std::optional<double> spice;          // mean of what another program computed
    std::vector<std::string> compared;    // names of the scores of pairs
    std::vector<ComparedPair> pairs;
    ResamplingOptions resampling;
    std::string worst_metric;
    std::vector<WorstImage> worst;
};

// A line of JSON with pycocoevalcap's keys for the first system, "signature", "captions", an object of scores for each
// domain, if images are missing "images" and "images_missing", and what was asked for: "intervals", "systems" and
// "comparisons", "SPICE" with "SPICE_from", "worst".
std::string score_json(const ScoreReport& report, const ScoreOptions& options);
// Tables: a row a metric, a column for all images and one for each domain, or one for each system; Markdown and LaTeX
// have a row a system instead, as papers do.
std::string score_text(const ScoreReport& report, const ScoreOptions& options);

}    // namespace blip

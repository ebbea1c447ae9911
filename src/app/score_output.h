// What the verb score prints and writes. Called by verb_score.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "blip/metrics/caption_files.h"
#include "blip/metrics/coco_eval.h"

namespace blip {

struct ScoreReport {
    CocoScores scores;
    std::map<std::string, CocoScores> domains;    // of NoCaps' images, each by itself; empty for others
    std::size_t images = 0, missing = 0;          // scored; of the references, without a result
    std::string without_meteor;                   // why it was not computed; empty if it was or is not wanted
};

// "1, 2, 3", of many the first 20 "and 7 more".
std::string name_ids(const std::vector<std::string>& ids);

// A line of JSON with pycocoevalcap's keys, an object of them for each domain, and, if images are missing, "images" and
// "images_missing".
std::string score_json(const ScoreReport& report);
// Lines of a table, a column for all and one for each domain.
std::string score_table(const ScoreReport& report);

// [{"image_id": ID, metric: score, ...}, ...]; images: those scored, in the scores' order. Error(io).
void write_per_image(const std::filesystem::path& file, const std::vector<ImageReferences>& images,
                     const CocoScores& scores);
// Throws Error(io) where a file could not be written, before there is something to lose. Leaves nothing behind.
void check_can_be_written(const std::filesystem::path& file);

}    // namespace blip

// Files of each image's scores. Called by the verb score.
#pragma once

#include <filesystem>
#include <vector>

#include "blip/metrics/caption_files.h"
#include "blip/metrics/coco_eval.h"

namespace blip {

// All of the scored images, in one order.
struct PerImage {
    const std::vector<ImageReferences>& images;
    const std::vector<ScoredCaption>& captions;
    const CocoDetails& details;
    const CocoScores& scores;
};

// A row an image: id_name ("image_id"), file (where one is known), caption, references, length and reference_lengths
// (in PTB tokens), each metric. By the name's ending .csv or .tsv: cells, lists with " | " between; .jsonl: an object a
// line; others: a JSON list. Durably. Error(io).
void write_per_image(const std::filesystem::path& file, const PerImage& rows, const char* id_name);
// {"BLEU-1": {"score": X, "per_item": {"ID": X, ...}}, ..., "CIDEr": ...}: what capevalkit 0.1.3 asks of a metric's
// runner.
void write_metrics_by_item(const std::filesystem::path& file, const PerImage& rows);
// Throws Error(io) where a file could not be written, before there is something to lose. Leaves nothing behind.
void check_can_be_written(const std::filesystem::path& file);

}    // namespace blip

// Readers of the files that say which pictures and captions there are, in each form they come in. Used by
// coco_pack_source, which chooses among them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data_prep/coco_pack/source.h"

namespace blip {

// All: limit is the number of images to keep of a split, 0 = all. Errors: missing_input, io; bad_data naming file, row
// and key (malformed JSON, rows of another form, paths that leave the folder, invalid UTF-8, no image with a caption).

// coco_karpathy_train.json: [{"caption": text, "image": path, "image_id": "coco_790"}, ...], a row for each caption.
SourceSplit read_karpathy_train(const std::filesystem::path& path, std::int64_t limit);
// coco_karpathy_{val,test}.json: [{"image": path, "caption": [text, ...]}, ...], a row for each image.
SourceSplit read_karpathy_evaluation(const std::filesystem::path& path, const std::string& name, std::int64_t limit);
// captions_{train,val}2014.json: {"images": [{"id", "file_name"}], "annotations": [{"id", "image_id", "caption"}]}.
// folder: where the pictures lie.
SourceSplit read_annotations(const std::filesystem::path& path, const std::string& name, const std::string& folder,
                             std::int64_t limit);
// dataset_coco.json: {"images": [{"filepath", "filename", "cocoid", "split", "sentences": [{"raw"}]}]}; restval belongs
// to train. names: train, val or test; those without an image are left out of the result.
std::vector<SourceSplit> read_dataset_coco(const std::filesystem::path& path, const std::vector<std::string>& names,
                                           std::int64_t limit);

}    // namespace blip

// Readers of COCO's and Karpathy's files. Used by trees.cpp, which chooses among them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data_prep/coco_pack/source.h"

namespace blip {

// All: limit is the number of images to keep of a split, 0 = all. Errors: missing_input, io; bad_data naming file, row
// and key (malformed JSON, rows of another form, paths that leave the folder, invalid UTF-8, no image with a caption).

// What messages about files that people write end with.
inline constexpr const char* correct_it = "correct the file; data_prep/README.md shows its form";

// coco_karpathy_{train,val,test}.json: [{"image": path, "caption": text or [text, ...], "image_id": ...}, ...], a row
// for each caption in train, for each image in the others. Keys: key_of_row in text/image_key.h.
SourceSplit read_karpathy(const std::filesystem::path& path, const std::string& name, std::int64_t limit);
// captions_train2014.json and others: {"images": [{"id", "file_name"}], "annotations": [{"id", "image_id",
// "caption"}]}. folder: where the pictures lie; "": in that of all. One split of this name; without a name those that
// the images' "split" names, where they have one.
std::vector<SourceSplit> read_annotations(const std::filesystem::path& path, const std::string& name,
                                          const std::string& folder, std::int64_t limit);
// dataset_{coco,flickr8k,flickr30k}.json: {"images": [{"filepath", "filename", "cocoid" or "imgid", "split",
// "sentences": [{"raw"}]}]}; the latter two have no filepath; restval belongs to train. names: train, val or test;
// those without an image are left out of the result.
std::vector<SourceSplit> read_dataset(const std::filesystem::path& path, const std::vector<std::string>& names,
                                      std::int64_t limit);

}    // namespace blip

// The annotation files of a drawn data set, in every form that COCO 2014 users have. Called by make_sample.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace blip {

struct SampleImage {
    std::int64_t id = 0;
    std::string split;     // train, restval, val, test, as in dataset_coco.json
    std::string folder;    // train2014 or val2014
    int height = 0, width = 0;
    std::array<std::string, 5> captions;
    std::array<std::int64_t, 5> caption_ids{};

    std::string file_name() const;    // COCO_val2014_000000000042.jpg
};

// annotations/captions_{train,val}2014.json, karpathy/coco_karpathy_{train,val,test}.json, karpathy/dataset_coco.json,
// karpathy/coco_gt/coco_karpathy_{val,test}_gt.json below folder.
void write_annotations(const std::filesystem::path& folder, const std::vector<SampleImage>& images);

}    // namespace blip

// What is to be packed, read from COCO 2014's annotation files or from the reference's Karpathy files and cleaned of
// what cannot be used. Called by coco_pack before any picture is opened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace blip {

struct SourceImage {
    std::int64_t id = 0;
    std::filesystem::path file;           // below the COCO folder
    std::vector<std::string> captions;    // raw, in file order
};

struct SourceSplit {
    std::string name;                   // train, val, test
    std::vector<SourceImage> images;    // in order of appearance; each with at least one caption
    // Decisions taken, by name, with how often; stored in the packed file. See source_decisions.
    std::vector<std::pair<std::string, std::int64_t>> decisions;
    std::int64_t caption_count() const;
};

struct Source {
    std::vector<SourceSplit> splits;    // train, val, test as far as there are
    std::string description;            // one sentence: which files the splits come from
};

// name -> what was done, for people.
extern const std::vector<std::pair<std::string, std::string>> source_decisions;

// karpathy: where coco_karpathy_{train,val,test}.json are; empty: looked for in coco/annotations, coco/karpathy and
// coco, otherwise train2014 and val2014 are the splits. limit: images per split, 0 = all. Errors: missing_input
// (folders, files), bad_data (malformed JSON, wrong rows, paths that leave coco, invalid UTF-8).
Source read_source(const std::filesystem::path& coco, const std::filesystem::path& karpathy, std::int64_t limit);

}    // namespace blip

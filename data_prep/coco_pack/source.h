// What is to be packed, read from the files of the Karpathy split or from COCO 2014's annotations and cleaned of what
// cannot be used. Called by coco_pack before any picture is opened.
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
    std::string note;                   // what else was found and not used; may be empty
};

struct SourceOptions {
    std::filesystem::path coco;
    // dataset_coco.json, or a folder with it or with coco_karpathy_{train,val,test}.json; empty: looked for
    std::filesystem::path karpathy;
    // NoCaps' annotation file: its pictures lie in `coco` and become the split val; empty: COCO's
    std::filesystem::path nocaps;
    std::vector<std::string> splits;    // to pack, of train, val and test; empty: all there are
    std::int64_t limit = 0;             // images of a split, 0 = all
};

// name -> what was done, for people.
extern const std::vector<std::pair<std::string, std::string>> source_decisions;

// Sets the number of a decision.
void count_decision(SourceSplit& split, const std::string& decision, std::int64_t number);
// Counts images_in_an_earlier_split anew, for whoever removed images.
void count_shared_images(std::vector<SourceSplit>& splits);

// Without options.karpathy the files are looked for in annotations, karpathy and the COCO folder itself: all wanted
// coco_karpathy files, else dataset_coco.json, else those coco_karpathy files that exist, else train2014 and val2014
// are the splits. Errors: usage, missing_input (folders, files, splits), bad_data (as the readers).
Source read_source(const SourceOptions& options);

}    // namespace blip

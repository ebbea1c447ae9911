// What is to be packed, read from any of the forms of data (data_prep/README.md) and cleaned of what cannot be used.
// Called by coco_pack before any picture is opened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "blip/text/image_key.h"

namespace blip {

struct SourceImage {
    ImageKey id;
    std::filesystem::path file;           // below the folder of the pictures
    std::vector<std::string> captions;    // raw, in file order
    std::string where{};                  // "captions.csv, line 3": what names it first
    // if it is in a tar: which of Source's, and which of its members
    std::size_t tar = 0;
    std::int64_t member = -1;
};

struct SourceSplit {
    std::string name;                   // train, val, test; "" where the data have no split
    std::vector<SourceImage> images;    // in order of appearance; each with at least one caption
    // Decisions taken, by name, with how often; stored in the packed file. See source_decisions.
    std::vector<std::pair<std::string, std::int64_t>> decisions;
    std::string first_empty;    // where the first caption without a word stood; "" if there was none
    // The number of one of them.
    std::int64_t& decision(const std::string& name);
};

struct Source {
    std::filesystem::path folder;               // of the pictures
    std::vector<std::filesystem::path> tars;    // that have the pictures instead
    std::vector<SourceSplit> splits;            // train, val, test as far as there are
    std::string description;                    // one sentence: which files the splits come from
    std::vector<std::string> notes;             // what else was found, decided or left out
};

struct SourceOptions {
    std::filesystem::path coco;    // a COCO tree; or else
    // a file or folder of any form, the form ("auto" or one of source_forms), the pictures' folder (empty: that of the
    // file), and what the columns are called (empty: as usual)
    std::filesystem::path from, images;
    std::vector<std::filesystem::path> more;    // further tars, beside from
    std::string form = "auto", image_column, caption_column;
    // per cent of the pictures that become val and test, by their keys' digests; empty: not asked for
    std::string split_by_hash;
    // dataset_coco.json, or a folder with it or with coco_karpathy_{train,val,test}.json; empty: looked for
    std::filesystem::path karpathy;
    // NoCaps' annotation file: its pictures lie in `coco` and become the split val; empty: COCO's
    std::filesystem::path nocaps;
    std::vector<std::string> splits;    // to pack, of train, val and test; empty: all there are
    std::int64_t limit = 0;             // images of a split, 0 = all
};

// What --form takes.
extern const std::vector<std::string> source_forms;
// name -> what was done, for people.
extern const std::vector<std::pair<std::string, std::string>> source_decisions;

// Counts images_in_an_earlier_split anew, for whoever removed images.
void count_shared_images(std::vector<SourceSplit>& splits);

// Errors: usage, missing_input (folders, files, splits), bad_data (as the readers).
Source read_source(const SourceOptions& options);
// options.from in its form: recognised by what is in it, or the one that options.form names. The description says what
// was taken for what; splits may be one of no name. Throws usage, missing_input; bad_data, which says what is there and
// which form comes nearest, and as the readers.
Source read_form(const SourceOptions& options);
// A COCO tree. Without options.karpathy the files are looked for in annotations, karpathy and the COCO folder itself:
// all wanted coco_karpathy files, else dataset_coco.json, else those coco_karpathy files that exist, else train2014 and
// val2014, or those of 2017, are the splits.
Source read_tree(const SourceOptions& options);
// Whether a folder has such files.
bool is_tree(const std::filesystem::path& folder);

}    // namespace blip

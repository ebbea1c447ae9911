// Rows of pictures and captions as people write them: CSV, TSV, JSON lines, a JSON list, Flickr's token files, LLaVA's
// conversations, WebDataset's texts. All become JSON objects, and one place reads these. Used by folders.cpp and
// forms.cpp.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data_prep/coco_pack/source.h"

namespace blip {

enum class TableForm { csv, json_lines, json_list, flickr_tokens, tar };

struct TableFile {
    std::filesystem::path path;
    TableForm form;
    std::string split;                 // of all its rows; "": rows tell, or nothing does
    std::filesystem::path prefix{};    // what its paths are below, within the pictures' folder
    bool keys_have_prefix = false;     // a picture's path for its key is the whole one
};

// The pictures of all files, whose paths lie below `pictures`; splits as the rows or the pictures' first folders have
// them, else one split "" of all. Tars hold their pictures; all files are such, or none. notes: what was left out.
// Errors: missing_input, io; bad_data with file, line and what to do.
std::vector<SourceSplit> read_tables(const std::vector<TableFile>& files, const std::filesystem::path& pictures,
                                     const SourceOptions& options, std::vector<std::string>& notes);

// "train", "val", "test" of the words that people use ("validation", "dev"); "" for others.
std::string split_from_word(const std::string& word);
// The same of a path's first folder.
std::string split_of_folder(const std::filesystem::path& path);

}    // namespace blip

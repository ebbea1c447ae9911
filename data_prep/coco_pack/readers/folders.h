// Folders of pictures: with a text file beside each, or with Hugging Face's metadata files. Used by forms.cpp.
#pragma once

#include "data_prep/coco_pack/readers/tables.h"

namespace blip {

// All files below a folder, sorted, relative to it; hidden ones and those in hidden folders are left out, and links to
// folders, which become `links`.
std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder,
                                               std::vector<std::filesystem::path>* links = nullptr);

// Whether it ends in .txt or .caption, in letters of any case.
bool has_side_file_name(const std::filesystem::path& file);
// Pictures with NAME.txt or NAME.caption beside NAME.jpg, a caption a line; the first folders train, validation and
// test are splits where all pictures lie in such. notes: captions without pictures.
std::vector<SourceSplit> read_side_files(const std::filesystem::path& folder,
                                         const std::vector<std::filesystem::path>& files,
                                         std::vector<std::string>& notes);

// metadata.csv or metadata.jsonl in the folder, or in folders of it, which are splits where their names say so. Throws
// bad_data for both in one folder.
std::vector<TableFile> metadata_files(const std::filesystem::path& folder);

}    // namespace blip

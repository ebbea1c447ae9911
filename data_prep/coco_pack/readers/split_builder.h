// Collects the pictures and captions of a split and counts what is decided on the way: the rules that all forms of data
// share. Used by the readers.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "blip/text/json_file.h"
#include "data_prep/coco_pack/source.h"

namespace blip {

class SplitBuilder {
  public:
    // file: whose rows they are, for messages; must outlive it.
    SplitBuilder(const JsonFile& file, std::string name);
    void go_on_with(const JsonFile& file) { file_ = &file; }

    // Row of an image, added if it is new, and whether it is. The same key must always name the same file. Throws
    // bad_data.
    std::pair<std::size_t, bool> image(const ImageKey& key, const std::string& path, const std::string& where);
    // Row of a known image, or -1.
    std::int64_t find(const std::string& key) const;
    SourceImage& at(std::size_t image_row) { return split_.images[image_row]; }
    void caption(std::size_t image_row, std::string text, const std::string& where);
    void count(const std::string& decision) { ++split_.decision(decision); }
    // limit: images to keep, 0 = all. Throws bad_data if no image has a caption.
    SourceSplit finish(std::int64_t limit);

  private:
    const JsonFile* file_;
    SourceSplit split_;
    std::unordered_map<std::string, std::size_t> rows_;    // by the key's text
};

// Of builders by their splits' names, in the order train, val, test, "". As SplitBuilder::finish.
std::vector<SourceSplit> finish_all(std::map<std::string, SplitBuilder>& builders, std::int64_t limit);

// Throws bad_data unless it is the name of a file below a folder, fit for a terminal. Returns it without . and ..
std::filesystem::path checked_path(const JsonFile& file, const std::string& path, const std::string& where);

}    // namespace blip

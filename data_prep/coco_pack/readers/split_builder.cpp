// See the header.
#include "data_prep/coco_pack/readers/split_builder.h"

#include <fmt/format.h>

#include <climits>

#include "blip/base/printable.h"
#include "blip/text/caption_text.h"

namespace blip {

namespace fs = std::filesystem;

SplitBuilder::SplitBuilder(const JsonFile& file, std::string name) : file_(&file) {
    split_.name = std::move(name);
    for (const auto& [decision, meaning] : source_decisions) split_.decisions.emplace_back(decision, 0);
}

fs::path checked_path(const JsonFile& file, const std::string& path, const std::string& where) {
    check_text(file, path, where + ": image path");
    const fs::path clean = fs::path(path).lexically_normal();
    for (const fs::path& part : clean)
        if (part.native().size() > NAME_MAX)
            bad_json(file, where,
                     fmt::format("the name '{}' has {} bytes, a file's has {} at most", printable(part.native()),
                                 part.native().size(), NAME_MAX));
    if (path.empty() || clean.is_absolute() || *clean.begin() == ".." || !clean.has_filename() || clean == ".")
        bad_json(file, where, fmt::format("path '{}' is not one of a file below the folder of the pictures", path));
    // on a terminal, or in a list of names, such a path would pass for something else
    if (printable_line(path) != path) bad_json(file, where, fmt::format("path '{}' has a control character", path));
    return clean;
}

std::pair<std::size_t, bool> SplitBuilder::image(const ImageKey& key, const std::string& path,
                                                 const std::string& where) {
    const fs::path clean = checked_path(*file_, path, where);
    const auto [found, added] = rows_.try_emplace(key.text, split_.images.size());
    if (added)
        split_.images.push_back({key, clean, {}, fmt::format("{}, {}", file_->path.filename().string(), where)});
    else if (split_.images[found->second].file != clean)
        bad_json(*file_, where,
                 fmt::format("image id {} stands for '{}' and for '{}': give each picture an id of its own", key.text,
                             split_.images[found->second].file.string(), clean.string()));
    return {found->second, added};
}

std::int64_t SplitBuilder::find(const std::string& key) const {
    const auto found = rows_.find(key);
    return found == rows_.end() ? -1 : static_cast<std::int64_t>(found->second);
}

void SplitBuilder::caption(std::size_t image_row, std::string text, const std::string& where) {
    check_text(*file_, text, where);
    if (!pre_caption(text).empty()) return split_.images[image_row].captions.push_back(std::move(text));
    count("empty_captions");
    if (split_.first_empty.empty()) split_.first_empty = fmt::format("{}, {}", file_->path.string(), where);
}

SourceSplit SplitBuilder::finish(std::int64_t limit) {
    check_all_text_was_seen(*file_);
    auto& images = split_.images;
    split_.decision("images_without_captions") +=
        std::erase_if(images, [](const SourceImage& image) { return image.captions.empty(); });
    if (images.empty())
        bad_json(*file_, "the whole file",
                 fmt::format("no image with a caption{}", split_.name.empty() ? "" : " for " + split_.name));
    if (limit > 0 && static_cast<std::size_t>(limit) < images.size()) images.resize(static_cast<std::size_t>(limit));
    return std::move(split_);
}

std::vector<SourceSplit> finish_all(std::map<std::string, SplitBuilder>& builders, std::int64_t limit) {
    std::vector<SourceSplit> splits;
    for (const char* name : {"train", "val", "test", ""})
        if (const auto found = builders.find(name); found != builders.end())
            splits.push_back(found->second.finish(limit));
    return splits;
}

}    // namespace blip

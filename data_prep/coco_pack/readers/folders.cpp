// See the header.
#include "data_prep/coco_pack/readers/folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "blip/base/error.h"
#include "blip/image/picture.h"
#include "blip/text/text_file.h"
#include "data_prep/coco_pack/readers/coco.h"
#include "data_prep/coco_pack/readers/split_builder.h"

namespace blip {

namespace fs = std::filesystem;

std::vector<fs::path> files_below(const fs::path& folder) {
    std::vector<fs::path> files;
    for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied);
         entry != fs::recursive_directory_iterator(); ++entry) {
        if (entry->path().filename().string().starts_with('.'))
            entry.disable_recursion_pending();
        else if (!entry->is_directory())
            files.push_back(entry->path().lexically_relative(folder));
    }
    std::sort(files.begin(), files.end());
    return files;
}

namespace {

// Each file's first folder as a split, where there are several and nothing else.
bool folders_are_splits(const std::vector<fs::path>& pictures) {
    std::set<std::string> found;
    for (const fs::path& file : pictures)
        found.insert(file.has_parent_path() ? split_from_word(file.begin()->string()) : "");
    return found.size() > 1 && !found.contains("");
}

}    // namespace

std::vector<SourceSplit> read_side_files(const fs::path& folder, const std::vector<fs::path>& files,
                                         std::vector<std::string>& notes) {
    std::vector<fs::path> pictures;
    std::set<fs::path> texts;
    for (const fs::path& file : files) {
        if (has_picture_name(file)) pictures.push_back(file);
        if (file.extension() == ".txt" || file.extension() == ".caption") texts.insert(file);
    }
    const bool splits_there = folders_are_splits(pictures);
    std::map<std::string, std::pair<std::unique_ptr<JsonFile>, std::unique_ptr<SplitBuilder>>> builders;
    for (const fs::path& picture : pictures) {
        auto& of_split = builders[splits_there ? split_from_word(picture.begin()->string()) : ""];
        std::unique_ptr<JsonFile>& file = of_split.first;
        std::unique_ptr<SplitBuilder>& builder = of_split.second;    // captured below
        if (!builder) {
            file = std::make_unique<JsonFile>();
            file->path = folder;
            file->remedy = "give the one another name";
            builder =
                std::make_unique<SplitBuilder>(*file, splits_there ? split_from_word(picture.begin()->string()) : "");
        }
        bool is_new = false;
        const std::size_t image = builder->image(key_of_path(picture), picture.string(), picture.string(), is_new);
        for (const char* extension : {".txt", ".caption"}) {
            const fs::path text = fs::path(picture).replace_extension(extension);
            if (texts.erase(text) == 0) continue;
            for_each_line(read_text(folder / text), [&](std::int64_t line, std::string_view caption) {
                if (caption.find_first_not_of(" \t") != std::string_view::npos)
                    builder->caption(image, std::string(caption), fmt::format("{} line {}", text.string(), line));
            });
        }
    }
    if (!texts.empty())
        notes.push_back(fmt::format("{} text files belong to no picture and are left out (the first: {})", texts.size(),
                                    texts.begin()->string()));
    std::vector<SourceSplit> splits;
    for (const char* name : {"train", "val", "test", ""})
        if (const auto found = builders.find(name); found != builders.end())
            splits.push_back(found->second.second->finish(0));
    return splits;
}

std::vector<TableFile> metadata_files(const fs::path& folder) {
    std::vector<TableFile> files;
    const auto add = [&](const fs::path& below) {
        for (const char* name : {"metadata.jsonl", "metadata.csv"})
            if (const fs::path file = folder / below / name; fs::exists(file)) {
                const TableForm form = file.extension() == ".csv" ? TableForm::csv : TableForm::json_lines;
                files.push_back({file, form, split_from_word(below.string()), below, true});
                return;
            }
    };
    add("");
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.is_directory()) folders.push_back(entry.path().filename());
    std::sort(folders.begin(), folders.end());
    for (const fs::path& below : folders) add(below);
    return files;
}

}    // namespace blip

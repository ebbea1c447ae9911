// See the header.
#include "data_prep/coco_pack/readers/folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

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
    for (const fs::path& file : pictures) found.insert(split_of_folder(file));
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
    const JsonFile messages{folder, "give the one another name"};
    std::map<std::string, SplitBuilder> builders;
    for (const fs::path& picture : pictures) {
        const std::string split = splits_there ? split_of_folder(picture) : "";
        SplitBuilder& builder = builders.try_emplace(split, messages, split).first->second;
        const std::size_t image = builder.image(key_of_path(picture), picture.string(), picture.string()).first;
        for (const char* extension : {".txt", ".caption"}) {
            const fs::path text = fs::path(picture).replace_extension(extension);
            if (texts.erase(text) == 0) continue;
            for_each_line(read_text(folder / text), [&](std::int64_t line, std::string_view caption) {
                if (caption.find_first_not_of(" \t") != std::string_view::npos)
                    builder.caption(image, std::string(caption), fmt::format("{} line {}", text.string(), line));
            });
        }
    }
    if (!texts.empty())
        notes.push_back(fmt::format("{} text files belong to no picture and are left out (the first: {})", texts.size(),
                                    texts.begin()->string()));
    return finish_all(builders, 0);
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

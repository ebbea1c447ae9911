// See the header.
#include "data_prep/coco_pack/readers/folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "blip/base/error.h"
#include "blip/image/picture.h"
#include "blip/text/caption_rows.h"
#include "blip/text/text_file.h"
#include "data_prep/coco_pack/readers/coco.h"
#include "data_prep/coco_pack/readers/split_builder.h"

namespace blip {

namespace fs = std::filesystem;

bool has_side_file_name(const fs::path& file) {
    const std::string ending = lower_ending(file);
    return ending == ".txt" || ending == ".caption";
}

std::vector<fs::path> files_below(const fs::path& folder, std::vector<fs::path>* links) {
    std::vector<fs::path> files;
    for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied);
         entry != fs::recursive_directory_iterator(); ++entry) {
        if (entry->path().filename().string().starts_with('.'))
            entry.disable_recursion_pending();
        else if (!entry->is_directory())
            files.push_back(entry->path().lexically_relative(folder));
        else if (links != nullptr && entry->is_symlink())
            links->push_back(entry->path().lexically_relative(folder));
    }
    std::sort(files.begin(), files.end());
    if (links != nullptr) std::sort(links->begin(), links->end());
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
    std::map<fs::path, std::vector<fs::path>> texts;    // by their paths without endings, .txt before .caption
    for (const fs::path& file : files) {
        if (has_picture_name(file)) pictures.push_back(file);
        if (!has_side_file_name(file)) continue;
        std::vector<fs::path>& beside = texts[fs::path(file).replace_extension()];
        const bool is_txt = lower_ending(file) == ".txt";
        beside.insert(is_txt ? beside.begin() : beside.end(), file);
    }
    const bool splits_there = folders_are_splits(pictures);
    const JsonFile messages{folder, "give the one another name"};
    std::map<std::string, SplitBuilder> builders;
    for (const fs::path& picture : pictures) {
        const std::string split = splits_there ? split_of_folder(picture) : "";
        SplitBuilder& builder = builders.try_emplace(split, messages, split).first->second;
        const std::size_t image = builder.image(key_of_path(picture), picture.string(), picture.string()).first;
        const auto beside = texts.extract(fs::path(picture).replace_extension());
        if (beside.empty()) continue;
        for (const fs::path& text : beside.mapped())
            for_each_line(read_text(folder / text), [&](std::int64_t line, std::string_view caption) {
                if (caption.find_first_not_of(" \t") != std::string_view::npos)
                    builder.caption(image, std::string(caption), fmt::format("{} line {}", text.string(), line));
            });
    }
    if (!texts.empty())
        notes.push_back(fmt::format("{} text files belong to no picture and are left out (the first: {})", texts.size(),
                                    texts.begin()->second[0].string()));
    return finish_all(builders, 0);
}

std::vector<TableFile> metadata_files(const fs::path& folder) {
    std::vector<TableFile> files;
    const auto add = [&](const fs::path& below) {
        const fs::path lines = folder / below / "metadata.jsonl", csv = folder / below / "metadata.csv";
        const bool has_lines = fs::exists(lines), has_csv = fs::exists(csv);
        if (has_lines && has_csv)
            throw Error(ExitCode::bad_data, "{} and metadata.csv: a folder has one of them; move the other away",
                        lines.string());
        if (has_lines) files.push_back({lines, TableForm::json_lines, split_from_word(below.string()), below, true});
        if (has_csv) files.push_back({csv, TableForm::csv, split_from_word(below.string()), below, true});
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

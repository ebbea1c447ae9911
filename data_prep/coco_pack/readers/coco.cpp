// See the header.
#include "data_prep/coco_pack/readers/coco.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <regex>
#include <unordered_map>
#include <unordered_set>

#include "blip/text/image_key.h"
#include "blip/text/json_file.h"
#include "data_prep/coco_pack/readers/split_builder.h"
#include "data_prep/coco_pack/readers/tables.h"

namespace blip {

namespace fs = std::filesystem;

namespace {

// Of published files a download may have been cut off; others somebody wrote.
JsonFile load(const fs::path& path, const std::vector<std::string>& ignored = {}) {
    static const std::regex published(
        "captions_[a-z]+20[0-9]{2}|dataset_(coco|flickr8k|flickr30k)|coco_karpathy_[a-z]+|"
        "nocaps_val.*");
    const bool fetched = std::regex_match(path.stem().string(), published);
    return load_json(path, ignored,
                     fetched ? "correct it, or fetch the file again if nobody wrote it by hand" : correct_it);
}

const nlohmann::json& rows_of(const JsonFile& file) {
    if (!file.root.is_array()) bad_json(file, "the whole file", "is not a list of rows");
    return file.root;
}

// A caption, or a list of them.
std::vector<std::string> captions_of(const JsonFile& file, const nlohmann::json& row, const std::string& where) {
    if (row.contains("caption") && row["caption"].is_string()) return {row["caption"].get<std::string>()};
    std::vector<std::string> captions;
    for (const auto& caption : json_list(file, row, "caption", where)) {
        if (!caption.is_string())
            bad_json(file, fmt::format("caption {} of {}", captions.size(), where), "is not a text");
        captions.push_back(caption.get<std::string>());
    }
    return captions;
}

// One split dealt to those that its images name. What was decided of all is told once.
std::vector<SourceSplit> deal(const JsonFile& file, SourceSplit all,
                              const std::unordered_map<std::string, std::string>& split_of) {
    std::map<std::string, std::vector<SourceImage>> images;
    for (SourceImage& image : all.images) {
        const auto found = split_of.find(image.id.text);
        if (found == split_of.end())
            bad_json(file, "image id " + image.id.text,
                     "has no split, and other images have one: give all one or none");
        images[found->second].push_back(std::move(image));
    }
    std::vector<SourceSplit> splits;
    for (const char* name : {"train", "val", "test"}) {
        const auto own = images.find(name);
        if (own == images.end()) continue;
        splits.push_back({name, std::move(own->second), all.decisions, all.first_empty});
        for (auto& [decision, number] : all.decisions) number = 0;
        all.first_empty.clear();
    }
    return splits;
}

}    // namespace

SourceSplit read_karpathy(const fs::path& path, const std::string& name, std::int64_t limit) {
    const JsonFile file = load(path);
    SplitBuilder builder(file, name);
    std::int64_t row = 0;
    for (const auto& entry : rows_of(file)) {
        const std::string where = fmt::format("row {}", row++);
        const std::string image_path = json_text(file, entry, "image", where);
        const ImageKey key = key_of_row(file, entry, image_path, where);
        const auto [image, is_new] = builder.image(key, image_path, where);
        // in train a row is one caption, and rows that share an image are what this form is about
        if (!is_new && name != "train") builder.count("duplicate_image_ids");
        std::int64_t k = 0;
        for (std::string& caption : captions_of(file, entry, where))
            builder.caption(image, std::move(caption),
                            fmt::format("caption {}of {} (image {})",
                                        entry["caption"].is_string() ? "" : fmt::format("{} ", k++), where, key.text));
    }
    return builder.finish(limit);
}

std::vector<SourceSplit> read_annotations(const fs::path& path, const std::string& name, const std::string& folder,
                                          std::int64_t limit) {
    const JsonFile file = load(path);
    SplitBuilder builder(file, name);
    std::unordered_map<std::string, std::string> split_of;    // by keys
    std::int64_t row = 0;
    for (const auto& entry : json_list(file, file.root, "images", "the whole file")) {
        const std::string where = fmt::format("images row {}", row++);
        const std::string file_name = json_text(file, entry, "file_name", where);
        // the name must stay in its folder as well
        if (file_name.empty() || fs::path(file_name).is_absolute() ||
            *fs::path(file_name).lexically_normal().begin() == "..")
            bad_json(
                file, where,
                fmt::format("path '{}' leaves {}", file_name, folder.empty() ? "the folder of the pictures" : folder));
        const std::string path = folder.empty() ? file_name : folder + "/" + file_name;
        const ImageKey key = json_key(file, entry, "id", where);
        if (!builder.image(key, path, where).second) builder.count("duplicate_image_ids");
        if (name.empty() && entry.contains("split")) {
            const std::string word = json_text(file, entry, "split", where);
            split_of[key.text] = split_from_word(word);
            if (split_of[key.text].empty())
                bad_json(file, where, fmt::format("split '{}' is none of train, val, test", word));
        }
    }
    std::unordered_set<std::string> ids;
    row = 0;
    for (const auto& entry : json_list(file, file.root, "annotations", "the whole file")) {
        const std::string where = fmt::format("annotations row {}", row++);
        // whoever writes such a file may leave out the caption's own id
        const std::string id = entry.is_object() && entry.contains("id") ? json_key(file, entry, "id", where).text : "";
        const std::string image_id = json_key(file, entry, "image_id", where).text;
        const std::string which = id.empty() ? fmt::format("{} (image {})", where, image_id)
                                             : fmt::format("caption id {} (image {})", id, image_id);
        std::string text = json_text(file, entry, "caption", where);
        check_text(file, text, which);
        const std::int64_t image = builder.find(image_id);
        if (!id.empty() && !ids.insert(id).second)
            builder.count("duplicate_caption_ids");
        else if (image < 0)
            builder.count("captions_of_unknown_images");
        else
            builder.caption(static_cast<std::size_t>(image), std::move(text), which);
    }
    std::vector<SourceSplit> all = {builder.finish(limit)};
    return split_of.empty() ? std::move(all) : deal(file, std::move(all.front()), split_of);
}

std::vector<SourceSplit> read_dataset(const fs::path& path, const std::vector<std::string>& names, std::int64_t limit) {
    // the words of each caption again, and numbers that nobody needs: two thirds of the memory
    const JsonFile file = load(path, {"tokens", "sentids"});
    if (!file.root.is_object())
        bad_json(file, "the whole file",
                 "is not Karpathy's dataset_coco.json or another of his, an object with 'images'");
    std::map<std::string, SplitBuilder> builders;
    std::int64_t row = 0;
    for (const auto& entry : json_list(file, file.root, "images", "the whole file")) {
        const std::string where = fmt::format("images row {}", row++);
        std::string split = json_text(file, entry, "split", where);
        if (split == "restval") split = "train";
        if (split != "train" && split != "val" && split != "test")
            bad_json(file, where, fmt::format("split '{}' is none of train, restval, val, test", split));
        if (std::find(names.begin(), names.end(), split) == names.end()) continue;
        SplitBuilder& builder = builders.try_emplace(split, file, split).first->second;
        // only COCO's has the former
        const std::string folder = entry.contains("filepath") ? json_text(file, entry, "filepath", where) : "";
        const std::string name = json_text(file, entry, "filename", where);
        const bool coco = entry.contains("cocoid");
        if (!coco && !entry.contains("imgid")) bad_json(file, where, "has neither 'cocoid' nor 'imgid'");
        const ImageKey key = json_key(file, entry, coco ? "cocoid" : "imgid", where);
        const auto [image, is_new] =
            builder.image(key, folder.empty() || name.empty() ? name : folder + "/" + name, where);
        if (!is_new) builder.count("duplicate_image_ids");
        std::int64_t k = 0;
        for (const auto& sentence : json_list(file, entry, "sentences", where)) {
            const std::string which = fmt::format("sentence {} of {} (image {})", k++, where, key.text);
            builder.caption(image, json_text(file, sentence, "raw", which), which);
        }
    }
    if (builders.empty()) bad_json(file, "the whole file", fmt::format("no image of {}", fmt::join(names, ", ")));
    return finish_all(builders, limit);
}

}    // namespace blip

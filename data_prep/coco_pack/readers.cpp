// See the header. Each reader turns one file into splits; SplitBuilder holds the rules they share.
#include "data_prep/coco_pack/readers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/text/caption_text.h"
#include "blip/text/json_file.h"

namespace blip {

namespace fs = std::filesystem;

namespace {

// Collects one split and counts the decisions.
class SplitBuilder {
  public:
    SplitBuilder(const JsonFile& file, std::string name) : file_(file) {
        split_.name = std::move(name);
        for (const auto& [decision, meaning] : source_decisions) split_.decisions.emplace_back(decision, 0);
    }

    // Row of an image, added if it is new. The same id must always name the same file.
    std::size_t image(std::int64_t id, const std::string& path, const std::string& where, bool& is_new) {
        check_text(file_, path, where + ": image path");
        const fs::path clean = fs::path(path).lexically_normal();
        if (path.empty() || clean.is_absolute() || *clean.begin() == ".." || !clean.has_filename() || clean == ".")
            bad_json(file_, where, fmt::format("path '{}' is not one of a file below the COCO folder", path));
        // on a terminal, or in a list of names, such a path would pass for something else
        if (printable_line(path) != path)
            bad_json(file_, where, fmt::format("path '{}' has a control character", path));
        const auto [found, added] = rows_.try_emplace(id, split_.images.size());
        is_new = added;
        if (added)
            split_.images.push_back({id, clean, {}});
        else if (split_.images[found->second].file != clean)
            bad_json(file_, where,
                     fmt::format("image id {} stands for '{}' and for '{}'", id,
                                 split_.images[found->second].file.string(), clean.string()));
        return found->second;
    }
    // Row of a known image, or -1.
    std::int64_t find(std::int64_t id) const {
        const auto found = rows_.find(id);
        return found == rows_.end() ? -1 : static_cast<std::int64_t>(found->second);
    }
    void caption(std::size_t image_row, std::string text, const std::string& where) {
        check_text(file_, text, where);
        if (pre_caption(text).empty()) return count("empty_captions");
        split_.images[image_row].captions.push_back(std::move(text));
    }
    void count(const std::string& decision, std::int64_t more = 1) {
        for (auto& [name, number] : split_.decisions)
            if (name == decision) number += more;
    }
    bool empty() const { return split_.images.empty(); }
    SourceSplit finish(std::int64_t limit) {
        check_all_text_was_seen(file_);
        auto& images = split_.images;
        count("images_without_captions",
              std::erase_if(images, [](const SourceImage& image) { return image.captions.empty(); }));
        if (images.empty())
            bad_json(file_, "the whole file", fmt::format("no image with a caption for {}", split_.name));
        if (limit > 0 && static_cast<std::size_t>(limit) < images.size())
            images.resize(static_cast<std::size_t>(limit));
        return std::move(split_);
    }

  private:
    const JsonFile& file_;
    SourceSplit split_;
    std::unordered_map<std::int64_t, std::size_t> rows_;
};

// The number at the end of "coco_790" or "COCO_val2014_000000359219"; -1 if there is none.
std::int64_t trailing_number(const std::string& text) {
    std::size_t start = text.size();
    while (start > 0 && text[start - 1] >= '0' && text[start - 1] <= '9') --start;
    std::int64_t number = -1;
    const auto [end, error] = std::from_chars(text.data() + start, text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

std::int64_t id_from_file_name(const JsonFile& file, const std::string& path, const std::string& where) {
    const std::int64_t id = trailing_number(fs::path(path).stem().string());
    if (id < 0) bad_json(file, where, fmt::format("image '{}' has no number at the end of its name", path));
    return id;
}

const nlohmann::json& rows_of(const JsonFile& file) {
    if (!file.root.is_array()) bad_json(file, "the whole file", "is not a list of rows");
    return file.root;
}

}    // namespace

SourceSplit read_karpathy_train(const fs::path& path, std::int64_t limit) {
    const JsonFile file = load_json(path);
    SplitBuilder builder(file, "train");
    std::int64_t row = 0;
    for (const auto& entry : rows_of(file)) {
        const std::string where = fmt::format("row {}", row++);
        const std::string image_path = json_text(file, entry, "image", where);
        std::int64_t id = 0;
        if (entry.contains("image_id") && entry["image_id"].is_number_integer())
            id = json_integer(file, entry, "image_id", where);
        else if (const auto text = json_text(file, entry, "image_id", where); (id = trailing_number(text)) < 0)
            bad_json(file, where, fmt::format("image_id '{}' has no number at its end", text));
        bool is_new = false;    // rows that share an image are what this form is about: nothing to count
        const std::size_t image = builder.image(id, image_path, where, is_new);
        builder.caption(image, json_text(file, entry, "caption", where),
                        fmt::format("caption of row {} (image {})", row - 1, id));
    }
    return builder.finish(limit);
}

SourceSplit read_karpathy_evaluation(const fs::path& path, const std::string& name, std::int64_t limit) {
    const JsonFile file = load_json(path);
    SplitBuilder builder(file, name);
    std::int64_t row = 0;
    for (const auto& entry : rows_of(file)) {
        const std::string where = fmt::format("row {}", row++);
        const std::string image_path = json_text(file, entry, "image", where);
        const std::int64_t id = id_from_file_name(file, image_path, where);
        bool is_new = false;
        const std::size_t image = builder.image(id, image_path, where, is_new);
        if (!is_new) builder.count("duplicate_image_ids");
        std::int64_t k = 0;
        for (const auto& caption : json_list(file, entry, "caption", where)) {
            const std::string which = fmt::format("caption {} of row {} (image {})", k++, row - 1, id);
            if (!caption.is_string()) bad_json(file, which, "is not a text");
            builder.caption(image, caption.get<std::string>(), which);
        }
    }
    return builder.finish(limit);
}

SourceSplit read_annotations(const fs::path& path, const std::string& name, const std::string& folder,
                             std::int64_t limit) {
    const JsonFile file = load_json(path);
    SplitBuilder builder(file, name);
    std::int64_t row = 0;
    for (const auto& entry : json_list(file, file.root, "images", "the whole file")) {
        const std::string where = fmt::format("images row {}", row++);
        const std::string file_name = json_text(file, entry, "file_name", where);
        // the name must stay in its folder as well
        if (file_name.empty() || fs::path(file_name).is_absolute() ||
            *fs::path(file_name).lexically_normal().begin() == "..")
            bad_json(file, where, fmt::format("path '{}' leaves {}", file_name, folder));
        bool is_new = false;
        builder.image(json_integer(file, entry, "id", where), folder + "/" + file_name, where, is_new);
        if (!is_new) builder.count("duplicate_image_ids");
    }
    std::unordered_set<std::int64_t> ids;
    row = 0;
    for (const auto& entry : json_list(file, file.root, "annotations", "the whole file")) {
        const std::string where = fmt::format("annotations row {}", row++);
        const std::int64_t id = json_integer(file, entry, "id", where);
        const std::int64_t image_id = json_integer(file, entry, "image_id", where);
        const std::string which = fmt::format("caption id {} (image {})", id, image_id);
        std::string text = json_text(file, entry, "caption", where);
        check_text(file, text, which);
        const std::int64_t image = builder.find(image_id);
        if (!ids.insert(id).second)
            builder.count("duplicate_caption_ids");
        else if (image < 0)
            builder.count("captions_of_unknown_images");
        else
            builder.caption(static_cast<std::size_t>(image), std::move(text), which);
    }
    return builder.finish(limit);
}

std::vector<SourceSplit> read_dataset_coco(const fs::path& path, const std::vector<std::string>& names,
                                           std::int64_t limit) {
    // the words of each caption again, and numbers that nobody needs: two thirds of the memory
    const JsonFile file = load_json(path, {"tokens", "sentids"});
    if (!file.root.is_object())
        bad_json(file, "the whole file", "is not Karpathy's dataset_coco.json, an object with 'images'");
    std::vector<std::unique_ptr<SplitBuilder>> builders;
    for (const auto& name : names) builders.push_back(std::make_unique<SplitBuilder>(file, name));
    std::int64_t row = 0;
    for (const auto& entry : json_list(file, file.root, "images", "the whole file")) {
        const std::string where = fmt::format("images row {}", row++);
        std::string split = json_text(file, entry, "split", where);
        if (split == "restval") split = "train";
        if (split != "train" && split != "val" && split != "test")
            bad_json(file, where, fmt::format("split '{}' is none of train, restval, val, test", split));
        const auto wanted = std::find(names.begin(), names.end(), split);
        if (wanted == names.end()) continue;
        SplitBuilder& builder = *builders[static_cast<std::size_t>(wanted - names.begin())];
        const std::int64_t id = json_integer(file, entry, "cocoid", where);
        const std::string folder = json_text(file, entry, "filepath", where);
        const std::string name = json_text(file, entry, "filename", where);
        bool is_new = false;
        const std::size_t image =
            builder.image(id, folder.empty() || name.empty() ? name : folder + "/" + name, where, is_new);
        if (!is_new) builder.count("duplicate_image_ids");
        std::int64_t k = 0;
        for (const auto& sentence : json_list(file, entry, "sentences", where)) {
            const std::string which = fmt::format("sentence {} of {} (image {})", k++, where, id);
            builder.caption(image, json_text(file, sentence, "raw", which), which);
        }
    }
    std::vector<SourceSplit> splits;
    for (auto& builder : builders)
        if (!builder->empty()) splits.push_back(builder->finish(limit));
    if (splits.empty()) bad_json(file, "the whole file", fmt::format("no image of {}", fmt::join(names, ", ")));
    return splits;
}

}    // namespace blip

// See the header. Each reader turns one file into a split; SplitBuilder holds the rules they share.
#include "coco_pack_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>

#include "blip/base/error.h"
#include "blip/text/caption_text.h"
#include "coco_pack_json.h"

namespace blip {

namespace fs = std::filesystem;

const std::vector<std::pair<std::string, std::string>> source_decisions = {
    {"captions_of_unknown_images", "captions of images that are not listed: left out"},
    {"images_without_captions", "images without a caption: left out"},
    {"duplicate_image_ids", "images listed again: taken as one"},
    {"duplicate_caption_ids", "captions with the id of an earlier one: left out"},
    {"empty_captions", "captions without a word: left out"},
    {"images_in_an_earlier_split", "images that are in an earlier split too: kept in both"},
};

std::int64_t SourceSplit::caption_count() const {
    std::int64_t count = 0;
    for (const auto& image : images) count += static_cast<std::int64_t>(image.captions.size());
    return count;
}

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
        if (path.find('\0') != std::string::npos) bad_json(file_, where, "path with a zero byte");
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
    SourceSplit finish(std::int64_t limit) {
        check_all_text_was_seen(file_);
        auto& images = split_.images;
        count("images_without_captions",
              std::erase_if(images, [](const SourceImage& image) { return image.captions.empty(); }));
        if (images.empty()) bad_json(file_, "the whole file", "no image with a caption");
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

// [{"caption": text, "image": path, "image_id": "coco_790"}, ...]: one row for each caption.
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

// [{"image": path, "caption": [text, ...]}, ...]
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

// COCO's own form: {"images": [{"id", "file_name"}], "annotations": [{"id", "image_id", "caption"}]}
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

std::string karpathy_name(const std::string& split) { return "coco_karpathy_" + split + ".json"; }

// The folder that holds the Karpathy files, empty if none does.
fs::path find_karpathy(const fs::path& coco, const fs::path& given, std::string& looked_in) {
    std::vector<fs::path> folders = {given};
    if (given.empty()) folders = {coco / "annotations", coco / "karpathy", coco};
    for (const auto& folder : folders) {
        looked_in += (looked_in.empty() ? "" : ", ") + folder.string();
        for (const char* split : {"train", "val", "test"})
            if (fs::exists(folder / karpathy_name(split))) return folder;
    }
    return {};
}

void count_shared_images(std::vector<SourceSplit>& splits) {
    std::unordered_set<std::int64_t> seen;
    for (auto& split : splits) {
        std::int64_t shared = 0;
        for (const auto& image : split.images) shared += seen.contains(image.id);
        for (auto& [name, number] : split.decisions)
            if (name == "images_in_an_earlier_split") number = shared;
        for (const auto& image : split.images) seen.insert(image.id);
    }
}

}    // namespace

Source read_source(const fs::path& coco, const fs::path& karpathy, std::int64_t limit) {
    if (!fs::is_directory(coco))
        throw Error(
            ExitCode::missing_input,
            fmt::format("{}: no such folder; --coco names the one that holds train2014 and val2014", coco.string()));
    Source source;
    std::string looked_in, names, absent;
    if (const fs::path folder = find_karpathy(coco, karpathy, looked_in); !folder.empty()) {
        for (const char* name : {"train", "val", "test"}) {
            const fs::path file = folder / karpathy_name(name);
            if (!fs::exists(file)) {
                absent += fmt::format("; {} is absent: no {} split", karpathy_name(name), name);
                continue;
            }
            source.splits.push_back(std::string(name) == "train" ? read_karpathy_train(file, limit)
                                                                 : read_karpathy_evaluation(file, name, limit));
            names += (names.empty() ? "" : ", ") + karpathy_name(name);
        }
        source.description = fmt::format("Karpathy split: {}{}", names, absent);
    } else if (!karpathy.empty()) {
        throw Error(
            ExitCode::missing_input,
            fmt::format(
                "{}: holds none of coco_karpathy_{{train,val,test}}.json; give their folder, or leave --karpathy out "
                "to use train2014 and val2014",
                karpathy.string()));
    } else {
        const fs::path annotations = coco / "annotations";
        for (const char* name : {"train", "val"}) {
            const fs::path file = annotations / fmt::format("captions_{}2014.json", name);
            if (!fs::exists(file))
                throw Error(ExitCode::missing_input, fmt::format("{}: no such file, and no coco_karpathy_*.json in {}",
                                                                 file.string(), looked_in));
            source.splits.push_back(read_annotations(file, name, fmt::format("{}2014", name), limit));
        }
        source.description =
            "COCO's own split: train2014 for training, val2014 for validation, no test split (no "
            "coco_karpathy_{train,val,test}.json was found)";
    }
    count_shared_images(source.splits);
    return source;
}

}    // namespace blip

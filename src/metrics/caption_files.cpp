// See caption_files.h.
#include "blip/metrics/caption_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "blip/base/error.h"
#include "blip/text/json_file.h"
#include "src/metrics/row_files.h"

namespace blip {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string caption_of(const JsonFile& file, const json& object, const char* key, const std::string& where) {
    std::string text = json_text(file, object, key, where);
    check_text(file, text, where);
    return text;
}

std::vector<std::string> captions_of(const JsonFile& file, const json& list, const std::string& where) {
    std::vector<std::string> captions;
    for (const json& caption : list) {
        if (!caption.is_string()) bad_json(file, where, "a caption is not a text");
        check_text(file, caption.get<std::string>(), where);
        captions.push_back(caption);
    }
    return captions;
}

// Images in order of their first appearance.
class ReferenceTable {
  public:
    explicit ReferenceTable(const JsonFile& file) : file_(file) {}

    ImageReferences& image(const ImageKey& id) {
        const auto [place, is_new] = rows_.try_emplace(id.text, images_.size());
        if (is_new) images_.push_back({id, {}});
        return images_[place->second];
    }
    ImageReferences& add_image(const ImageKey& id, std::vector<std::string> captions, const std::string& where) {
        if (rows_.contains(id.text)) bad_json(file_, where, fmt::format("image {} is there twice", id.text));
        ImageReferences& added = image(id);
        added.captions = std::move(captions);
        return added;
    }
    std::vector<ImageReferences> finish() {
        check_all_text_was_seen(file_);
        std::erase_if(images_, [](const ImageReferences& image) { return image.captions.empty(); });
        if (images_.empty()) bad_json(file_, "the whole file", "holds no reference captions");
        return std::move(images_);
    }

  private:
    const JsonFile& file_;
    std::vector<ImageReferences> images_;
    std::unordered_map<std::string, std::size_t> rows_;
};

// A "domain" of another kind is one more member that nobody asks for.
void take_domain(const json& row, ImageReferences& image) {
    const auto domain = row.find("domain");
    if (domain != row.end() && domain->is_string() && is_nocaps_domain(domain->get_ref<const std::string&>()))
        image.domain = *domain;
}

void read_coco(const JsonFile& file, ReferenceTable& table) {
    if (file.root.contains("images")) {
        std::size_t row = 0;
        for (const json& image : json_list(file, file.root, "images", "the file")) {
            const std::string where = fmt::format("images[{}]", row++);
            ImageReferences& own = table.image(json_key(file, image, "id", where));
            take_domain(image, own);
            if (const auto name = image.find("file_name"); name != image.end() && name->is_string()) own.file = *name;
        }
    }
    std::size_t row = 0;
    for (const json& annotation : json_list(file, file.root, "annotations", "the file")) {
        const std::string where = fmt::format("annotations[{}]", row++);
        table.image(json_key(file, annotation, "image_id", where))
            .captions.push_back(caption_of(file, annotation, "caption", where));
    }
}

void read_karpathy(const JsonFile& file, const std::vector<std::string>& wanted, ReferenceTable& table) {
    const json& images = json_list(file, file.root, "images", "the file");
    std::vector<std::string> split_of;
    for (std::size_t row = 0; row < images.size(); ++row) {
        split_of.push_back(json_text(file, images[row], "split", fmt::format("images[{}]", row)));
        if (split_of.back() == "restval") split_of.back() = "train";
    }
    const std::set<std::string> there(split_of.begin(), split_of.end());
    if (wanted.empty() && there.size() > 1)
        throw Error(ExitCode::usage, "{} holds several splits: choose with --split {}", file.path.string(),
                    fmt::join(there, " or --split "));
    for (const std::string& split : wanted)
        if (!there.contains(split))
            throw Error(ExitCode::usage, "{} has no split '{}', only {}", file.path.string(), split,
                        fmt::join(there, ", "));
    for (std::size_t row = 0; row < images.size(); ++row) {
        const std::string where = fmt::format("images[{}]", row);
        std::vector<std::string> captions;
        for (const json& sentence : json_list(file, images[row], "sentences", where))
            captions.push_back(caption_of(file, sentence, "raw", where));
        if (wanted.empty() || std::find(wanted.begin(), wanted.end(), split_of[row]) != wanted.end())
            table.add_image(json_key(file, images[row], images[row].contains("cocoid") ? "cocoid" : "imgid", where),
                            std::move(captions), where);
    }
}

void read_reference_job(const JsonFile& file, ReferenceTable& table) {
    for (std::size_t row = 0; row < file.root.size(); ++row) {
        const std::string where = fmt::format("row {}", row);
        const json& entry = file.root[row];
        const std::string picture = json_text(file, entry, "image", where);
        const ImageKey id = key_of_row(file, entry, picture, where);
        ImageReferences& image =
            table.add_image(id, captions_of(file, json_list(file, entry, "caption", where), where), where);
        take_domain(entry, image);
        image.file = picture;
    }
}

// The rows of one image belong together.
void read_rows(const CaptionText& text, const CaptionColumns& columns, ReferenceTable& table) {
    for_each_caption_row(text, columns, CaptionSide::references, [&](CaptionRow row) {
        ImageReferences& image = table.image(row.id ? *row.id : ImageKey(row.file));
        for (std::string& caption : row.captions) image.captions.push_back(std::move(caption));
        if (image.file.empty()) image.file = row.file;
    });
}

void read_plain(const JsonFile& file, ReferenceTable& table) {
    for (const std::string& id : file.root_names) {
        const std::string where = "'" + id + "'";
        check_text(file, id, where);
        const json& captions = file.root.at(id);
        if (!captions.is_array()) bad_json(file, where, "is not a list of captions");
        table.add_image(key_in_text(id), captions_of(file, captions, where), where);
    }
}

// Its rows have the picture's path and a list of captions, and may have an id.
bool is_reference_job(const CaptionText& text, const CaptionColumns& columns) {
    const json& root = text.json.root;
    return text.form == CaptionForm::json && root.is_array() && !root.empty() && columns.id.empty() &&
           columns.caption.empty() && root[0].is_object() && root[0].contains("image") && root[0].contains("caption") &&
           root[0]["caption"].is_array();
}

}    // namespace

std::vector<ImageReferences> read_references(const fs::path& path, const std::vector<std::string>& splits,
                                             const CaptionColumns& columns) {
    const CaptionText text = read_caption_text(path);
    const JsonFile& file = text.json;
    ReferenceTable table(file);
    const json& root = file.root;
    const bool whole = text.form == CaptionForm::json;
    const bool karpathy = whole && root.is_object() && root.contains("images") && !root.contains("annotations");
    if (!karpathy && !splits.empty())
        throw Error(ExitCode::usage,
                    "--split is for dataset_coco.json and packed data sets; {} does not tell splits apart",
                    path.string());
    if (karpathy)
        read_karpathy(file, splits, table);
    else if (whole && root.is_object() && root.contains("annotations"))
        read_coco(file, table);
    else if (is_reference_job(text, columns))
        read_reference_job(file, table);
    else if (whole && root.is_object())
        read_plain(file, table);
    else
        read_rows(text, columns, table);
    return table.finish();
}

std::string plain_id(const std::string& id) {
    const std::size_t point = id.find('.');
    if (point == std::string::npos || point == 0 || id.find_first_not_of('0', point + 1) != std::string::npos)
        return id;
    const ImageKey whole = key_in_text(id.substr(0, point));
    return whole.is_number ? whole.text : id;
}

bool is_nocaps_domain(std::string_view name) {
    return name == "in-domain" || name == "near-domain" || name == "out-domain";
}

}    // namespace blip

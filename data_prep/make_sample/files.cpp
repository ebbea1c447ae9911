// See the header.
#include "data_prep/make_sample/files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "blip/base/durable_file.h"

namespace blip {

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

void write_json(const fs::path& path, const Json& json) { write_file_durably(path, json.dump()); }

// COCO's own form of one folder.
Json captions_2014(const std::vector<SampleImage>& images, const std::string& folder) {
    Json pictures = Json::array(), annotations = Json::array();
    for (const auto& image : images) {
        if (image.folder != folder) continue;
        pictures.push_back({{"license", 1},
                            {"file_name", image.file_name()},
                            {"height", image.height},
                            {"width", image.width},
                            {"date_captured", "2014-01-01 00:00:00"},
                            {"id", image.id}});
        for (std::size_t k = 0; k < image.captions.size(); ++k)
            annotations.push_back(
                {{"image_id", image.id}, {"id", image.caption_ids[k]}, {"caption", image.captions[k]}});
    }
    return {{"info", {{"description", "scenes drawn by make_sample in the COCO 2014 layout"}, {"year", 2014}}},
            {"licenses", Json::array({{{"id", 1}, {"name", "drawn, free to use"}, {"url", ""}}})},
            {"type", "captions"},
            {"images", pictures},
            {"annotations", annotations}};
}

bool is_training(const SampleImage& image) { return image.split == "train" || image.split == "restval"; }

// One row for each caption.
Json karpathy_train(const std::vector<SampleImage>& images) {
    Json rows = Json::array();
    for (const auto& image : images)
        if (is_training(image))
            for (const auto& caption : image.captions)
                rows.push_back({{"caption", caption},
                                {"image", image.folder + "/" + image.file_name()},
                                {"image_id", fmt::format("coco_{}", image.id)}});
    return rows;
}

// One row for each image.
Json karpathy_evaluation(const std::vector<SampleImage>& images, const std::string& split) {
    Json rows = Json::array();
    for (const auto& image : images)
        if (image.split == split)
            rows.push_back({{"image", image.folder + "/" + image.file_name()}, {"caption", image.captions}});
    return rows;
}

Json ground_truth(const std::vector<SampleImage>& images, const std::string& split) {
    Json pictures = Json::array(), annotations = Json::array();
    for (const auto& image : images) {
        if (image.split != split) continue;
        pictures.push_back({{"id", image.id}});
        for (std::size_t k = 0; k < image.captions.size(); ++k)
            annotations.push_back(
                {{"image_id", image.id}, {"caption", image.captions[k]}, {"id", image.caption_ids[k]}});
    }
    return {{"annotations", annotations}, {"images", pictures}};
}

// Lower-case words without the full stop.
std::vector<std::string> words_of(const std::string& caption) {
    std::string plain;
    for (const char c : caption)
        if (c != '.') plain += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    std::istringstream stream(plain);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

Json dataset_coco(const std::vector<SampleImage>& images) {
    Json list = Json::array();
    std::int64_t number = 0;
    for (const auto& image : images) {
        Json sentences = Json::array();
        for (std::size_t k = 0; k < image.captions.size(); ++k)
            sentences.push_back({{"tokens", words_of(image.captions[k])},
                                 {"raw", image.captions[k]},
                                 {"imgid", number},
                                 {"sentid", image.caption_ids[k]}});
        list.push_back({{"filepath", image.folder},
                        {"filename", image.file_name()},
                        {"cocoid", image.id},
                        {"imgid", number},
                        {"split", image.split},
                        {"sentids", image.caption_ids},
                        {"sentences", sentences}});
        ++number;
    }
    return {{"dataset", "coco"}, {"images", list}};
}

}    // namespace

std::string SampleImage::file_name() const { return fmt::format("COCO_{}_{:012}.jpg", folder, id); }

void write_annotations(const fs::path& folder, const std::vector<SampleImage>& images) {
    const fs::path karpathy = folder / "karpathy";
    for (const char* name : {"train2014", "val2014"})
        write_json(folder / "annotations" / fmt::format("captions_{}.json", name), captions_2014(images, name));
    write_json(karpathy / "coco_karpathy_train.json", karpathy_train(images));
    for (const char* split : {"val", "test"}) {
        write_json(karpathy / fmt::format("coco_karpathy_{}.json", split), karpathy_evaluation(images, split));
        write_json(karpathy / "coco_gt" / fmt::format("coco_karpathy_{}_gt.json", split), ground_truth(images, split));
    }
    write_json(karpathy / "dataset_coco.json", dataset_coco(images));
}

}    // namespace blip

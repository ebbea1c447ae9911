// See the header.
#include "data_prep/coco_pack/source.h"

#include <fmt/format.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>

#include "blip/base/error.h"
#include "data_prep/coco_pack/readers.h"

namespace blip {

namespace fs = std::filesystem;

const std::vector<std::pair<std::string, std::string>> source_decisions = {
    {"captions_of_unknown_images", "captions of images that are not listed: left out"},
    {"images_without_captions", "images without a caption: left out"},
    {"duplicate_image_ids", "images listed again: taken as one"},
    {"duplicate_caption_ids", "captions with the id of an earlier one: left out"},
    {"empty_captions", "captions without a word: left out"},
    {"images_in_an_earlier_split", "images that are in an earlier split too: kept in both"},
    {"skipped_images", "images that could not be used: left out (--skip-bad)"},
    {"skipped_captions", "captions of skipped images: left out"},
};

std::int64_t SourceSplit::caption_count() const {
    std::int64_t count = 0;
    for (const auto& image : images) count += static_cast<std::int64_t>(image.captions.size());
    return count;
}

void count_decision(SourceSplit& split, const std::string& decision, std::int64_t number) {
    for (auto& [name, count] : split.decisions)
        if (name == decision) count = number;
}

void count_shared_images(std::vector<SourceSplit>& splits) {
    std::unordered_set<std::int64_t> seen;
    for (auto& split : splits) {
        std::int64_t shared = 0;
        for (const auto& image : split.images) shared += seen.contains(image.id);
        count_decision(split, "images_in_an_earlier_split", shared);
        for (const auto& image : split.images) seen.insert(image.id);
    }
}

namespace {

using Names = std::vector<std::string>;

constexpr const char* dataset_name = "dataset_coco.json";
std::string karpathy_name(const std::string& split) { return "coco_karpathy_" + split + ".json"; }

// What a folder holds of the Karpathy split.
struct KarpathyFolder {
    fs::path path;
    Names present, absent;    // of the wanted splits, those with a coco_karpathy file and those without
    bool any_reference = false, has_dataset = false;

    KarpathyFolder(fs::path folder, const Names& wanted) : path(std::move(folder)) {
        for (const auto& name : wanted) (fs::exists(path / karpathy_name(name)) ? present : absent).push_back(name);
        for (const char* name : {"train", "val", "test"}) any_reference |= fs::exists(path / karpathy_name(name));
        has_dataset = fs::exists(path / dataset_name);
    }
};

std::string file_names(const Names& splits) {
    Names names;
    for (const auto& split : splits) names.push_back(karpathy_name(split));
    return fmt::format("{}", fmt::join(names, ", "));
}

[[noreturn]] void throw_missing(const std::string& message) { throw Error(ExitCode::missing_input, message); }

Source read_reference_files(const KarpathyFolder& folder, const SourceOptions& options) {
    if (!options.splits.empty() && !folder.absent.empty())
        throw_missing(fmt::format("{}: no such file; fetch it, or leave {} out of --splits",
                                  (folder.path / karpathy_name(folder.absent[0])).string(), folder.absent[0]));
    Source source;
    for (const auto& name : folder.present) {
        const fs::path file = folder.path / karpathy_name(name);
        source.splits.push_back(name == "train" ? read_karpathy_train(file, options.limit)
                                                : read_karpathy_evaluation(file, name, options.limit));
    }
    source.description = fmt::format("Karpathy split: {}", file_names(folder.present));
    for (const auto& name : folder.absent)
        source.description += fmt::format("; {} is absent: no {} split", karpathy_name(name), name);
    return source;
}

Source read_dataset(const fs::path& file, const Names& wanted, const SourceOptions& options) {
    Source source;
    source.splits = read_dataset_coco(file, wanted, options.limit);
    source.description = fmt::format("Karpathy split: {} (train and restval are train)", file.filename().string());
    for (const auto& name : wanted) {
        const bool found = std::any_of(source.splits.begin(), source.splits.end(),
                                       [&](const SourceSplit& split) { return split.name == name; });
        if (!found && !options.splits.empty())
            throw_missing(fmt::format("{}: has no image of {}; leave it out of --splits, or fetch the file again",
                                      file.string(), name));
        if (!found) source.description += fmt::format("; it has no image of {}: no {} split", name, name);
    }
    return source;
}

Source read_own_split(const Names& wanted, const std::string& looked_in, const SourceOptions& options) {
    Source source;
    for (const auto& name : wanted) {
        if (name == "test") {
            if (options.splits.empty()) continue;
            throw_missing(fmt::format("COCO's own split has no test: --splits test needs {} or {} (looked for in {})",
                                      karpathy_name(name), dataset_name, looked_in));
        }
        const fs::path file = options.coco / "annotations" / fmt::format("captions_{}2014.json", name);
        if (!fs::exists(file))
            throw_missing(fmt::format("{}: no such file, and neither coco_karpathy_*.json nor {} in {}", file.string(),
                                      dataset_name, looked_in));
        source.splits.push_back(read_annotations(file, name, fmt::format("{}2014", name), options.limit));
    }
    source.description = fmt::format(
        "COCO's own split: train2014 for training, val2014 for validation, no test split (neither "
        "coco_karpathy_{{train,val,test}}.json nor {} was found)",
        dataset_name);
    return source;
}

// --nocaps FILE: a form of COCO's annotations, with the pictures in one folder.
Source read_nocaps(const SourceOptions& options) {
    if (!fs::exists(options.nocaps)) throw_missing(fmt::format("--nocaps {}: no such file", options.nocaps.string()));
    Source source;
    source.splits.push_back(read_annotations(options.nocaps, "val", ".", options.limit));
    source.description = fmt::format("NoCaps: {} is val", options.nocaps.filename().string());
    return source;
}

// --karpathy FILE
Source read_given_file(const Names& wanted, const SourceOptions& options) {
    const std::string name = options.karpathy.filename().string();
    if (name.starts_with("coco_karpathy_"))
        throw Error(
            ExitCode::usage,
            fmt::format("--karpathy {}: of these files the folder is given, with all of them in it: --karpathy {}",
                        options.karpathy.string(),
                        options.karpathy.has_parent_path() ? options.karpathy.parent_path().string() : "."));
    return read_dataset(options.karpathy, wanted, options);
}

// The folders that may hold the Karpathy split, in the order of looking: whole sets of the reference's files first,
// then Karpathy's own, then what there is of the former.
Source read_from_folders(const Names& wanted, const SourceOptions& options) {
    std::vector<fs::path> paths = {options.karpathy};
    if (options.karpathy.empty()) paths = {options.coco / "annotations", options.coco / "karpathy", options.coco};
    std::vector<KarpathyFolder> folders;
    Names looked_in;
    for (const auto& path : paths) {
        folders.emplace_back(path, wanted);
        looked_in.push_back(path.string());
    }
    const auto first = [&](const auto& fits) {
        const auto found = std::find_if(folders.begin(), folders.end(), fits);
        return found == folders.end() ? nullptr : &*found;
    };
    const KarpathyFolder* whole = first([](const auto& folder) { return folder.absent.empty(); });
    const KarpathyFolder* dataset = first([](const auto& folder) { return folder.has_dataset; });
    const KarpathyFolder* part = first([](const auto& folder) { return !folder.present.empty(); });
    if (whole != nullptr) {
        Source source = read_reference_files(*whole, options);
        if (dataset != nullptr)
            source.note = fmt::format("{} is there too and is not used; --karpathy with its name takes it instead",
                                      (dataset->path / dataset_name).string());
        return source;
    }
    if (dataset != nullptr) {
        Source source = read_dataset(dataset->path / dataset_name, wanted, options);
        if (part != nullptr)
            source.note = fmt::format("{} in {} not used: {} not there", file_names(part->present), part->path.string(),
                                      file_names(part->absent));
        return source;
    }
    if (part != nullptr) return read_reference_files(*part, options);
    const KarpathyFolder* other = first([](const auto& folder) { return folder.any_reference; });
    if (other != nullptr)
        throw_missing(fmt::format("{}: no such file, which --splits {} needs; the other splits of Karpathy are there",
                                  (other->path / karpathy_name(wanted[0])).string(), fmt::join(wanted, ",")));
    if (!options.karpathy.empty())
        throw_missing(
            fmt::format("{}: holds neither coco_karpathy_{{train,val,test}}.json nor {}; give their folder, or "
                        "leave --karpathy out to use train2014 and val2014",
                        options.karpathy.string(), dataset_name));
    return read_own_split(wanted, fmt::format("{}", fmt::join(looked_in, ", ")), options);
}

}    // namespace

Source read_source(const SourceOptions& options) {
    if (!fs::is_directory(options.coco))
        throw_missing(fmt::format("{}: no such folder; --coco names the one that holds train2014 and val2014",
                                  options.coco.string()));
    if (!options.nocaps.empty()) return read_nocaps(options);
    if (!options.karpathy.empty() && !fs::exists(options.karpathy))
        throw_missing(fmt::format("--karpathy {}: no such file or folder", options.karpathy.string()));
    Names wanted;    // in the file's order, whatever that of the option
    for (const char* name : {"train", "val", "test"})
        if (options.splits.empty() ||
            std::find(options.splits.begin(), options.splits.end(), name) != options.splits.end())
            wanted.emplace_back(name);
    const bool is_file = !options.karpathy.empty() && !fs::is_directory(options.karpathy);
    Source source = is_file ? read_given_file(wanted, options) : read_from_folders(wanted, options);
    if (!options.splits.empty()) source.description += fmt::format("; only {}", fmt::join(wanted, ", "));
    count_shared_images(source.splits);
    return source;
}

}    // namespace blip

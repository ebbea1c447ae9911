// COCO trees: Karpathy's split, or COCO's own of 2014 or 2017, or NoCaps. Declared in source.h.

#include <fmt/format.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <regex>

#include "blip/base/error.h"
#include "data_prep/coco_pack/readers/coco.h"
#include "data_prep/coco_pack/source.h"

namespace blip {

namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

const Names dataset_names = {"dataset_coco.json", "dataset_flickr30k.json", "dataset_flickr8k.json"};
constexpr const char* dataset_name = "dataset_coco.json";
std::string karpathy_name(const std::string& split) { return "coco_karpathy_" + split + ".json"; }

// What a folder holds of the Karpathy split.
struct KarpathyFolder {
    fs::path path;
    Names present, absent;    // of the wanted splits, those with a coco_karpathy file and those without
    bool any_reference = false;
    std::string dataset;    // name of Karpathy's own file; "" if there is none

    KarpathyFolder(fs::path folder, const Names& wanted) : path(std::move(folder)) {
        for (const auto& name : wanted) (fs::exists(path / karpathy_name(name)) ? present : absent).push_back(name);
        for (const char* name : {"train", "val", "test"}) any_reference |= fs::exists(path / karpathy_name(name));
        for (const std::string& name : dataset_names)
            if (dataset.empty() && fs::exists(path / name)) dataset = name;
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
        source.splits.push_back(read_karpathy(file, name, options.limit));
    }
    source.description = fmt::format("Karpathy split: {}", file_names(folder.present));
    for (const auto& name : folder.absent)
        source.description += fmt::format("; {} is absent: no {} split", karpathy_name(name), name);
    return source;
}

Source read_dataset_file(const fs::path& file, const Names& wanted, const SourceOptions& options) {
    Source source;
    source.splits = read_dataset(file, wanted, options.limit);
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

// The year of the annotations that a tree has: 2014, else 2017; 2014 where there are none.
int year_of(const fs::path& coco) {
    for (const int year : {2014, 2017})
        for (const char* name : {"train", "val"})
            if (fs::exists(coco / "annotations" / fmt::format("captions_{}{}.json", name, year))) return year;
    return 2014;
}

Source read_own_split(const Names& wanted, const std::string& looked_in, const SourceOptions& options) {
    Source source;
    const int year = year_of(options.coco);
    for (const auto& name : wanted) {
        if (name == "test") {
            if (options.splits.empty()) continue;
            throw_missing(fmt::format("COCO's own split has no test: --splits test needs {} or {} (looked for in {})",
                                      karpathy_name(name), dataset_name, looked_in));
        }
        const fs::path file = options.coco / "annotations" / fmt::format("captions_{}{}.json", name, year);
        if (!fs::exists(file))
            throw_missing(fmt::format("{}: no such file, and neither coco_karpathy_*.json nor {} in {}", file.string(),
                                      dataset_name, looked_in));
        source.splits.push_back(read_annotations(file, name, fmt::format("{}{}", name, year), options.limit).front());
    }
    source.description = fmt::format(
        "COCO's own split: train{0} for training, val{0} for validation, no test split (neither "
        "coco_karpathy_{{train,val,test}}.json nor {1} was found)",
        year, dataset_name);
    return source;
}

// Whose pictures are those of 2017, under its names: they are 2014's.
void take_pictures_of_2017(Source& source, const fs::path& coco) {
    const auto there = [&](const char* name) { return fs::is_directory(coco / name); };
    if (there("train2014") || there("val2014") || !(there("train2017") || there("val2017"))) return;
    bool any = false;
    for (SourceSplit& split : source.splits)
        for (SourceImage& image : split.images) {
            const auto number = coco_number(image.file);
            if (!number || fs::exists(coco / image.file)) continue;
            for (const char* folder : {"train2017", "val2017"})
                if (const fs::path file = fs::path(folder) / fmt::format("{:012d}.jpg", *number);
                    fs::exists(coco / file)) {
                    image.file = file;
                    any = true;
                }
        }
    if (any) source.notes.push_back("the pictures are those of COCO 2017, which are 2014's under other names");
}

// --nocaps FILE: a form of COCO's annotations, with the pictures in one folder.
Source read_nocaps(const SourceOptions& options) {
    if (!fs::exists(options.nocaps)) throw_missing(fmt::format("--nocaps {}: no such file", options.nocaps.string()));
    Source source;
    std::ifstream file(options.nocaps);
    char first = ' ';
    file >> first;
    // the reference's own form is a list
    source.splits.push_back(first == '[' ? read_karpathy(options.nocaps, "val", options.limit)
                                         : read_annotations(options.nocaps, "val", "", options.limit).front());
    // many people have the pictures under their ids
    for (SourceImage& image : source.splits[0].images)
        if (const fs::path by_id = image.id.text + ".jpg";
            !fs::exists(options.coco / image.file) && by_id == by_id.filename() && fs::exists(options.coco / by_id))
            image.file = by_id;
    source.folder = options.coco;
    source.description = fmt::format("NoCaps: {} is val", options.nocaps.filename().string());
    return source;
}

// --karpathy FILE
Source read_given_file(const Names& wanted, const SourceOptions& options) {
    const std::string name = options.karpathy.filename().string();
    if (name.starts_with("coco_karpathy_"))
        throw Error(ExitCode::usage,
                    "--karpathy {}: of these files the folder is given, with all of them in it: --karpathy {}",
                    options.karpathy.string(),
                    options.karpathy.has_parent_path() ? options.karpathy.parent_path().string() : ".");
    return read_dataset_file(options.karpathy, wanted, options);
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
    const KarpathyFolder* dataset = first([](const auto& folder) { return !folder.dataset.empty(); });
    const KarpathyFolder* part = first([](const auto& folder) { return !folder.present.empty(); });
    if (whole != nullptr) {
        Source source = read_reference_files(*whole, options);
        if (dataset != nullptr)
            source.notes.push_back(
                fmt::format("{} is there too and is not used; --karpathy with its name takes it instead",
                            (dataset->path / dataset->dataset).string()));
        return source;
    }
    if (dataset != nullptr) {
        Source source = read_dataset_file(dataset->path / dataset->dataset, wanted, options);
        if (part != nullptr)
            source.notes.push_back(fmt::format("{} in {} not used: {} not there", file_names(part->present),
                                               part->path.string(), file_names(part->absent)));
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

bool is_tree(const fs::path& folder) {
    static const std::regex names(
        "captions_(train|val)20[0-9]{2}[.]json|coco_karpathy_(train|val|test)[.]json|"
        "dataset_(coco|flickr30k|flickr8k)[.]json");
    for (const fs::path& below : {folder / "annotations", folder / "karpathy", folder}) {
        if (!fs::is_directory(below)) continue;
        for (const auto& entry : fs::directory_iterator(below))
            if (std::regex_match(entry.path().filename().string(), names)) return true;
    }
    return false;
}

Source read_tree(const SourceOptions& options) {
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
    source.folder = options.coco;
    take_pictures_of_2017(source, options.coco);
    return source;
}

}    // namespace blip

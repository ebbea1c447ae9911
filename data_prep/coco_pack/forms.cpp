// Tells forms of data apart by what is in a file or folder. Declared in source.h.
#include "data_prep/coco_pack/source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/image/picture.h"
#include "blip/text/caption_rows.h"
#include "blip/text/caption_text.h"
#include "blip/text/text_file.h"
#include "data_prep/coco_pack/readers/coco.h"
#include "data_prep/coco_pack/readers/folders.h"
#include "data_prep/coco_pack/readers/tables.h"
#include "data_prep/coco_pack/readers/tars.h"

namespace blip {

namespace fs = std::filesystem;

const std::vector<std::string> source_forms = {"auto",  "coco",   "karpathy",    "nocaps", "flickr",
                                               "table", "folder", "imagefolder", "llava",  "webdataset"};

namespace {

using Paths = std::vector<fs::path>;

[[noreturn]] void refuse(const fs::path& path, const std::string& message) {
    throw Error(ExitCode::bad_data, "{}: {}", path.string(), message);
}

// What a single file holds.
enum class FileKind { annotations, pictures, nocaps, dataset, rows, conversations, json_lines, csv, tokens, tar };

struct KindText {
    FileKind kind;
    const char* form;    // the word of --form
    const char* described;
    TableForm table = TableForm::json_list;    // of those that are read as tables
};
constexpr KindText kinds[] = {
    {FileKind::annotations, "coco", "COCO's form, images and annotations"},
    {FileKind::pictures, "coco", "a list of pictures without captions, as of a test split"},
    {FileKind::nocaps, "nocaps", "NoCaps"},
    {FileKind::dataset, "karpathy", "Karpathy's dataset"},
    {FileKind::rows, "table", "a JSON list of pictures and captions"},
    {FileKind::conversations, "llava", "LLaVA's conversations, whose first answers are the captions"},
    {FileKind::json_lines, "table", "JSON lines of pictures and captions", TableForm::json_lines},
    {FileKind::csv, "table", "a table of pictures and captions", TableForm::csv},
    {FileKind::tokens, "flickr", "Flickr's captions", TableForm::flickr_tokens},
    {FileKind::tar, "webdataset", "WebDataset, tars of key.jpg and key.txt or key.json", TableForm::tar},
};
const KindText& text_of(FileKind kind) {
    return *std::find_if(std::begin(kinds), std::end(kinds), [&](const KindText& text) { return text.kind == kind; });
}

constexpr const char* parquet_advice =
    "parquet, which is not read: with Python, datasets.load_dataset(\"parquet\", data_files=...) gives its rows; save "
    "each picture, and a line {\"file_name\": ..., \"text\": ...} of it in metadata.jsonl, or add its bytes as KEY.jpg "
    "and its caption as KEY.txt to a tar with tarfile";

// Files that hold pictures and captions, but not so that they are read.
void refuse_binary(const fs::path& file, const std::string& start) {
    if (start.starts_with("\x89HDF\r\n\x1a\n"))
        refuse(file, "is an HDF5 file: if coco_pack made it, train --data takes it as it is");
    if (start.starts_with("PAR1")) refuse(file, fmt::format("is {}", parquet_advice));
    // zip, gzip, bzip2, xz, zstd, 7z, rar
    for (const char* archive : {"PK\x03\x04", "\x1f\x8b", "BZh", "\3757zXZ", "\x28\xb5\x2f\xfd", "7z\xbc\xaf", "Rar!"})
        if (start.starts_with(archive))
            refuse(file, "is compressed: unpack it, and give the file or folder that was in it");
    if (start.find('\0') != std::string::npos && !is_utf16(start))
        refuse(file,
               "is neither text nor a folder; give a folder of pictures, or a file of pictures' names and captions");
}

FileKind kind_of_json(const fs::path& file) {
    const JsonFile json = load_json(file, {"tokens", "sentids"}, correct_it);
    const auto& root = json.root;
    if (root.is_object() && root.contains("images")) {
        const auto& images = root["images"];
        const bool some = images.is_array() && !images.empty();
        if (!root.contains("annotations"))    // Karpathy's have their captions among the images
            return some && images[0].contains("file_name") && !images[0].contains("sentences") ? FileKind::pictures
                                                                                               : FileKind::dataset;
        if (some && root["annotations"] == nlohmann::json::array()) return FileKind::pictures;
        const bool domains = some && std::all_of(images.begin(), images.end(),
                                                 [](const auto& image) { return image.contains("domain"); });
        return domains ? FileKind::nocaps : FileKind::annotations;
    }
    if (root.is_array() && !root.empty() && root[0].is_object()) {
        if (root[0].contains("conversations")) return FileKind::conversations;
        return root[0].contains("img_id") && root[0].contains("domain") ? FileKind::nocaps : FileKind::rows;
    }
    std::vector<std::string> members = json.root_names;
    constexpr const char* list_of_rows = "[{\"image\": PATH, \"caption\": TEXT}, ...]";
    if (!root.is_object()) refuse(file, fmt::format("is JSON, but no list of objects; nearest is {}", list_of_rows));
    for (const std::string& name : members)
        if (const auto* list = first_member(root, {name});
            list != nullptr && list->is_array() && !list->empty() && list->front().is_object())
            refuse(file, fmt::format("is a JSON object whose '{}' is a list of rows: save that list as a file", name));
    members.resize(std::min<std::size_t>(members.size(), 10));
    refuse(file, fmt::format(
                     "is a JSON object with {}; nearest are COCO's form, which has 'images' and 'annotations', and {}",
                     fmt::join(members, ", "), list_of_rows));
}

// NAME#NUMBER, a tab and a caption, as Flickr's captions have them.
bool is_token_line(std::string_view line) {
    const std::size_t tab = line.find('\t'), mark = line.rfind('#', tab);
    if (tab == std::string_view::npos || mark == std::string_view::npos || mark == 0 || mark + 1 == tab) return false;
    return line.substr(mark + 1, tab - mark - 1).find_first_not_of("0123456789") == std::string_view::npos;
}

bool opens_as_tar(const fs::path& file) {
    try {
        return Tar(file).next();
    } catch (const Error&) {
        return false;
    }
}

FileKind kind_of(const fs::path& file) {
    const std::string start = first_bytes(file, 1 << 16);
    if (has_tar_name(file) || start.substr(std::min<std::size_t>(start.size(), 257), 5) == "ustar" ||
        (start.starts_with("\x1f\x8b") && opens_as_tar(file)))
        return FileKind::tar;
    refuse_binary(file, start);
    const std::size_t first = first_sign(start);
    if (first == std::string::npos) refuse(file, "is empty");
    if (start[first] == '{') {
        if (const std::string ending = lower_ending(file); ending == ".jsonl" || ending == ".ndjson")
            return FileKind::json_lines;
        // one whole object in the first line, and more after it
        const std::size_t end = start.find('\n', first);
        const bool lines = end != std::string::npos && start.find('{', end) != std::string::npos &&
                           nlohmann::json::accept(start.substr(first, end - first));
        return lines ? FileKind::json_lines : kind_of_json(file);
    }
    if (start[first] == '[') return kind_of_json(file);
    if (is_token_line(std::string_view(start).substr(first, start.find_first_of("\r\n", first) - first)))
        return FileKind::tokens;
    if (lower_ending(file) == ".json") return kind_of_json(file);    // says where it is malformed
    const std::string line = start.substr(first, start.find('\n', first) - first);
    if (line.find_first_of(",\t;|") == std::string::npos && !is_utf16(start))
        refuse(file, fmt::format("is a text whose first line has one cell: '{}'; nearest is a CSV of image,caption",
                                 line.substr(0, 60)));
    return FileKind::csv;
}

// The folder that paths in a file are relative to.
fs::path folder_of(const fs::path& file, const SourceOptions& options) {
    if (!options.images.empty()) return options.images;
    const fs::path folder = fs::absolute(file).lexically_normal().parent_path();
    for (const char* name : {"annotations", "karpathy", "captions", "labels", "metadata", "Flickr8k_text"})
        if (folder.filename() == name) return folder.parent_path();
    return folder;
}

// Flickr8k's lists of the pictures of each split, beside its captions; those in none of them are left out.
void split_by_lists(Source& source, const fs::path& folder) {
    std::map<std::string, std::string> split_of;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        for (const auto& [part, split] :
             {std::pair{"trainImages", "train"}, {"devImages", "val"}, {"testImages", "test"}})
            if (name.find(part) != std::string::npos && entry.path().extension() == ".txt")
                for_each_line(read_text(entry.path()), [&, split = split](std::int64_t, std::string_view line) {
                    if (!line.empty()) split_of[std::string(line)] = split;
                });
    }
    if (split_of.empty()) return;
    SourceSplit all = std::move(source.splits[0]);
    source.splits.clear();
    std::size_t left = all.images.size();
    for (const char* name : {"train", "val", "test"}) {
        SourceSplit split{name, {}, all.decisions, {}};
        for (SourceImage& image : all.images)
            if (const auto found = split_of.find(image.file.string()); found != split_of.end() && found->second == name)
                split.images.push_back(std::move(image));
        left -= split.images.size();
        if (!split.images.empty()) source.splits.push_back(std::move(split));
    }
    if (source.splits.empty()) refuse(folder, "its lists of train, dev and test images name none of the pictures");
    source.notes.push_back("splits: the lists of train, dev and test images beside the captions");
    if (left > 0) source.notes.push_back(fmt::format("{} pictures are in none of the lists and are left out", left));
}

// One file, or one for each split; all of one kind, which is of the form asked for.
Source read_files(const std::vector<std::pair<fs::path, std::string>>& files, const SourceOptions& options,
                  const std::string& form = "auto") {
    Source source;
    struct Part {
        fs::path file;
        std::string split;
        FileKind kind;
    };
    std::vector<Part> parts;
    const char* const pictures_alone = text_of(FileKind::pictures).described;
    for (const auto& [file, split] : files) {
        const FileKind own = kind_of(file);    // reads all of a JSON file
        if (own == FileKind::pictures)
            source.notes.push_back(fmt::format("{} is {}: left out", file.filename().string(), pictures_alone));
        else
            parts.push_back({file, split, own});
    }
    if (parts.empty())
        refuse(files[0].first, fmt::format("is {}: give one that has 'annotations', too", pictures_alone));
    const auto& [first, first_split, kind] = parts[0];
    if (form != "auto" && form != text_of(kind).form)
        refuse(first, fmt::format("is {}, not --form {}", text_of(kind).described, form));
    source.folder = folder_of(first, options);
    if (!fs::is_directory(source.folder))
        throw Error(ExitCode::missing_input, "--images {}: no such folder", source.folder.string());
    std::vector<TableFile> tables;
    std::vector<std::string> names;
    for (const auto& [file, split, own] : parts) {
        if (text_of(own).form != std::string_view(text_of(kind).form))
            refuse(file, fmt::format("is {}, and {} is {}: give one of them", text_of(own).described,
                                     first.filename().string(), text_of(kind).described));
        if (own == FileKind::annotations)
            for (SourceSplit& one : read_annotations(file, split, "", 0)) source.splits.push_back(std::move(one));
        else if (own != FileKind::nocaps && own != FileKind::dataset)
            tables.push_back({file, text_of(own).table, split});
        if (own == FileKind::tar) source.tars.push_back(file);
        names.push_back(file.filename().string());
    }
    if (kind == FileKind::tar && !options.images.empty())
        throw Error(ExitCode::usage, "--images: the pictures are in the tars; leave it out");
    if (names.size() > 3) names = {fmt::format("{} to {} ({} files)", names.front(), names.back(), names.size())};
    source.description = fmt::format("{}: {}", fmt::join(names, ", "), text_of(kind).described);
    if (kind == FileKind::nocaps) {
        SourceOptions tree = options;
        tree.coco = source.folder;
        tree.nocaps = first;
        return read_tree(tree);
    }
    if (kind == FileKind::dataset) source.splits = read_dataset(first, {"train", "val", "test"}, 0);
    if (!tables.empty()) source.splits = read_tables(tables, source.folder, options, source.notes);
    if (kind == FileKind::tokens || kind == FileKind::csv)
        if (source.splits[0].name.empty()) split_by_lists(source, first.has_parent_path() ? first.parent_path() : ".");
    return source;
}

// The split that a file's name tells: "captions_train2017.json", "val.csv".
std::string split_in_name(const fs::path& file) {
    static const std::regex letters("[A-Za-z]+");
    const std::string stem = file.stem().string();
    std::string found;
    for (std::sregex_iterator word(stem.begin(), stem.end(), letters), end; word != end; ++word)
        if (const std::string split = split_from_word(word->str()); !split.empty()) found = split;
    return found;
}

// The same of a tar, else that of its folder below the one that was given.
std::string split_of_tar(const fs::path& file) {
    const std::string split = split_in_name(file);
    return split.empty() && file.has_parent_path() ? split_from_word(file.begin()->string()) : split;
}

// "data/{0000..0009}.tar", which stood in quotes, as a shell expands it.
Paths expanded(const fs::path& path) {
    static const std::regex range("(.*?)\\{([0-9]{1,9})[.][.]([0-9]{1,9})\\}(.*)");
    const std::string text = path.string();
    std::smatch parts;
    constexpr std::size_t longest = 4096;    // of any path; std::regex takes stack for each character
    std::error_code unknown;
    if (fs::exists(path, unknown) || text.size() > longest || !std::regex_match(text, parts, range)) return {path};
    const int first = std::stoi(parts[2]), last = std::stoi(parts[3]);
    if (last < first || last - first > 1'000'000)
        throw Error(ExitCode::usage, "{}: the range goes from {} to {}", text, first, last);
    Paths all;
    for (int n = first; n <= last; ++n)
        for (fs::path& one : expanded(fmt::format("{}{:0{}}{}", parts[1].str(), n, parts[2].length(), parts[4].str())))
            all.push_back(std::move(one));
    return all;
}

// Files of captions in a folder, or in the one that is for them.
Paths caption_files(const fs::path& folder) {
    Paths files;
    const auto is_table = [](const fs::path& file) {
        const std::string extension = lower_ending(file), name = file.filename().string();
        return extension == ".csv" || extension == ".tsv" || extension == ".jsonl" || extension == ".ndjson" ||
               extension == ".json" || extension == ".token" || name.ends_with(".token.txt") || name == "captions.txt";
    };
    for (const fs::path& below : {folder, folder / "annotations", folder / "Flickr8k_text"}) {
        if (!files.empty() || !fs::is_directory(below)) continue;
        for (const auto& entry : fs::directory_iterator(below))
            if (entry.is_regular_file() && is_table(entry.path())) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

// "12 .jpg, 3 .csv"
std::string count_extensions(const Paths& files) {
    std::map<std::string, int> counts;
    for (const fs::path& file : files) ++counts[file.has_extension() ? file.extension().string() : "without extension"];
    std::vector<std::string> parts;
    for (const auto& [extension, count] : counts) parts.push_back(fmt::format("{} {}", count, extension));
    parts.resize(std::min<std::size_t>(parts.size(), 8));
    return parts.empty() ? "nothing" : fmt::format("{}", fmt::join(parts, ", "));
}

// Of files of captions in a folder the one that is there, or one for each split. Throws bad_data where it is not clear
// which.
Source read_tables_of_folder(const Paths& tables, const SourceOptions& options) {
    if (tables.size() == 1) return read_files({{tables[0], ""}}, options);
    std::vector<std::pair<fs::path, std::string>> of_splits;
    for (const fs::path& file : tables)
        if (const std::string split = split_in_name(file); !split.empty()) of_splits.emplace_back(file, split);
    std::sort(of_splits.begin(), of_splits.end(), [](const auto& a, const auto& b) {
        constexpr std::string_view order = "train val test";
        return order.find(a.second) < order.find(b.second);
    });
    const auto twice = [&](const auto& one) {
        return std::count_if(of_splits.begin(), of_splits.end(),
                             [&](const auto& x) { return x.second == one.second; }) > 1;
    };
    if (of_splits.size() > 1 && std::none_of(of_splits.begin(), of_splits.end(), twice))
        return read_files(of_splits, options);
    std::vector<std::string> names;
    for (const fs::path& file : tables) names.push_back(file.lexically_relative(options.from).string());
    refuse(options.from, fmt::format("holds several files of captions: give one of them: {}", fmt::join(names, ", ")));
}

// Whether a picture has a text beside it.
bool has_side_files(const Paths& files) {
    std::set<fs::path> texts;
    for (const fs::path& file : files)
        if (has_side_file_name(file)) texts.insert(fs::path(file).replace_extension());
    return std::any_of(files.begin(), files.end(), [&](const fs::path& file) {
        return has_picture_name(file) && texts.contains(fs::path(file).replace_extension());
    });
}

Source read_folder(const SourceOptions& options) {
    const fs::path& folder = options.from;
    const auto may_be = [&](const char* form) { return options.form == "auto" || options.form == form; };
    if ((may_be("coco") || may_be("karpathy")) && is_tree(folder)) {
        SourceOptions tree = options;
        tree.coco = options.images.empty() ? folder : options.images;
        if (!options.images.empty()) tree.karpathy = folder;
        return read_tree(tree);
    }
    Source source;
    source.folder = options.images.empty() ? folder : options.images;
    if (may_be("imagefolder"))
        if (const auto files = metadata_files(folder); !files.empty()) {
            source.splits = read_tables(files, source.folder, options, source.notes);
            source.description = fmt::format("{}: Hugging Face imagefolder, {} metadata file{}", folder.string(),
                                             files.size(), files.size() == 1 ? "" : "s");
            return source;
        }
    Paths links;
    const Paths files = files_below(folder, &links), tables = caption_files(folder);
    if (!links.empty())
        source.notes.push_back(
            fmt::format("links to folders are left out, {} of them (the first: {})", links.size(), links[0].string()));
    const auto pictures = std::count_if(files.begin(), files.end(), has_picture_name);
    // beside pictures, they are what these came in
    if (may_be("webdataset") && (pictures == 0 || options.form != "auto")) {
        std::vector<std::pair<fs::path, std::string>> tars;
        for (const fs::path& file : files)
            if (has_tar_name(file)) tars.emplace_back(folder / file, split_of_tar(file));
        if (!tars.empty()) {
            Source from_tars = read_files(tars, options);
            from_tars.notes.insert(from_tars.notes.begin(), source.notes.begin(), source.notes.end());
            return from_tars;
        }
    }
    if (!tables.empty() &&
        (may_be("table") || may_be("flickr") || may_be("coco") || may_be("llava") || may_be("nocaps"))) {
        // both may be meant
        if (options.form != "auto" || !has_side_files(files)) return read_tables_of_folder(tables, options);
        try {
            source = read_tables_of_folder(tables, options);
        } catch (const Error& problem) {
            if (problem.code() != ExitCode::bad_data) throw;
            throw Error(ExitCode::bad_data, "{}; or --form folder takes the texts beside the pictures", problem.what());
        }
        source.notes.emplace_back("texts beside the pictures are left out; --form folder takes these instead");
        return source;
    }
    if (may_be("folder") && pictures > 0) {
        if (std::any_of(files.begin(), files.end(), has_side_file_name)) {
            source.splits = read_side_files(folder, files, source.notes);
            source.description = fmt::format("{}: {} pictures, captions beside them", folder.string(), pictures);
            return source;
        }
    }
    const bool parquet =
        std::any_of(files.begin(), files.end(), [](const fs::path& file) { return file.extension() == ".parquet"; });
    refuse(folder,
           fmt::format("no form of data is recognised there{}; it holds {}{}; {}",
                       options.form == "auto" ? "" : fmt::format(" (--form {})", options.form), count_extensions(files),
                       links.empty() ? "" : fmt::format(" and {} links to folders, which are left out", links.size()),
                       parquet && pictures == 0 ? parquet_advice
                       : pictures > 0
                           ? "nearest is a folder of pictures with captions in NAME.txt beside NAME.jpg, or a "
                             "captions.csv of image,caption"
                           : "give the folder or file that names pictures and captions, and the pictures' folder "
                             "with --images"));
}

}    // namespace

Source read_form(const SourceOptions& options) {
    Paths from = expanded(options.from);
    from.insert(from.end(), options.more.begin(), options.more.end());
    for (const fs::path& path : from)
        if (!fs::exists(path)) throw Error(ExitCode::missing_input, "{}: no such file or folder", path.string());
    if (!options.images.empty() && !fs::is_directory(options.images))
        throw Error(ExitCode::missing_input, "--images {}: no such folder", options.images.string());
    SourceOptions all = options;
    all.limit = 0;    // of the splits that come out
    all.splits = {};
    std::vector<std::pair<fs::path, std::string>> tars;
    for (const fs::path& path : from)
        if (has_tar_name(path) && !fs::is_directory(path)) tars.emplace_back(path, split_in_name(path));
    if (tars.size() == from.size()) return read_files(tars, all, options.form);
    if (from.size() > 1)
        throw Error(ExitCode::usage,
                    "one file or folder is packed at a time, or several tars, whose names end in .tar");
    if (fs::is_directory(options.from)) return read_folder(all);
    // the name of these says the split
    static const std::regex karpathy("coco_karpathy_(train|val|test)[.]json");
    std::smatch found;
    const std::string name = options.from.filename().string();
    return read_files({{options.from, std::regex_match(name, found, karpathy) ? found[1].str() : ""}}, all,
                      options.form);
}

}    // namespace blip

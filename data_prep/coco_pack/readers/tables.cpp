// See the header.
#include "data_prep/coco_pack/readers/tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>

#include "blip/image/picture.h"
#include "blip/text/caption_rows.h"
#include "blip/text/text_file.h"
#include "data_prep/coco_pack/readers/coco.h"
#include "data_prep/coco_pack/readers/split_builder.h"
#include "data_prep/coco_pack/readers/tars.h"

namespace blip {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

using Names = std::vector<std::string>;

const Names key_columns(std::begin(key_names), std::end(key_names));

struct Row {
    std::string where;
    ImageKey key;
    bool bare_id = false;    // the key is the row's "id", which may count rows
    std::string file;
    Names captions;
    std::string split;
    std::int64_t member = -1;    // of the tar
};

// Takes the rows of one file.
class TableReader {
  public:
    TableReader(const TableFile& table, const fs::path& pictures, const SourceOptions& options, Names& notes)
        : table_(table), pictures_(pictures), options_(options), notes_(notes), file_{table.path, correct_it} {}

    void read() {
        if (table_.form == TableForm::tar)
            return read_samples(table_.path, options_.caption_column.empty() ? "caption" : options_.caption_column,
                                notes_, [&](const json& row, const std::string& where, std::int64_t member) {
                                    take(row, where);
                                    rows.back().member = member;
                                    rows.back().bare_id = false;    // a sample is one picture
                                });
        if (table_.form == TableForm::json_list) {
            file_ = load_json(table_.path, {}, correct_it);
            if (!file_.root.is_array()) bad_json(file_, "the whole file", "is not a list of rows");
            std::int64_t row = 0;
            for (const json& object : file_.root) take(object, fmt::format("row {}", row++));
            check_all_text_was_seen(file_);
            file_.root = nullptr;
            return;
        }
        const std::string text = read_text(table_.path);
        const TakeRow take_row = [&](const json& object, const std::string& where) { take(object, where); };
        if (table_.form == TableForm::csv)
            for_each_table_row(
                file_, text, [](const std::string& cell) { return has_picture_name(cell); }, take_row);
        if (table_.form == TableForm::json_lines) for_each_json_line(file_, text, take_row);
        if (table_.form == TableForm::flickr_tokens) read_tokens(text);
    }

    const JsonFile& file() const { return file_; }
    std::vector<Row> rows;

  private:
    void read_tokens(const std::string& text) {
        for_each_line(text, [&](std::int64_t line, std::string_view one) {
            if (one.empty()) return;
            const std::string where = fmt::format("line {}", line);
            const std::size_t tab = one.find('\t'), number = one.rfind('#', tab);
            if (tab == std::string_view::npos || number == std::string_view::npos)
                bad_json(file_, where, "is not NAME.jpg#NUMBER, a tab and a caption");
            take({{"image", one.substr(0, number)}, {"caption", one.substr(tab + 1)}}, where);
        });
    }

    void take(const json& object, const std::string& where) {
        if (!object.is_object()) bad_json(file_, where, "is not an object");
        // rows of LLaVA's that are about no picture
        if (object.contains("conversations") && first_member(object, image_columns()) == nullptr) return;
        if (rows.empty()) {
            tell_choice(object, options_.image_column, image_columns(), "image-column");
            if (!object.contains("conversations"))
                tell_choice(object, options_.caption_column, caption_columns(), "caption-column");
        }
        Row row;
        row.where = where;
        const std::string path = checked_path(file_, path_of(object, where), where).string();
        row.file = (table_.prefix / path).string();
        row.key = key_of_row(file_, object, table_.keys_have_prefix ? row.file : path, where);
        row.bare_id = first_member(object, {key_columns.begin(), key_columns.end() - 1}) == nullptr &&
                      first_member(object, {key_columns.back()}) != nullptr;
        row.captions = captions_of(object, where);
        row.split = table_.split;
        if (const json* split = first_member(object, {"split"});
            split != nullptr && *split != "" && row.split.empty()) {
            row.split = split->is_string() ? split_from_word(trim_blanks(split->get<std::string>())) : "";
            if (row.split.empty())
                bad_json(file_, where, fmt::format("split {} is none of train, val, test", split->dump()));
        }
        rows.push_back(std::move(row));
    }

    // Of the first row, where several members could be what is looked for: which one is taken.
    void tell_choice(const json& object, const std::string& asked, const Names& known, const char* option) {
        if (!asked.empty() || table_.form == TableForm::tar) return;
        Names there;
        for (const std::string& name : known)
            if (first_member(object, {name}) != nullptr) there.push_back(name);
        if (there.size() > 1)
            notes_.push_back(fmt::format("{}: of {} '{}' is taken; --{} takes another", table_.path.filename().string(),
                                         fmt::join(there, ", "), there[0], option));
    }

    // An option's column, as the rows have it: a table's heading is in lower case.
    std::string column(const std::string& name) const {
        return table_.form == TableForm::csv ? lower_ascii(name) : name;
    }

    // Below the pictures' folder, whether the row gives it so or as an absolute path.
    std::string path_of(const json& object, const std::string& where) const {
        const std::string asked = column(options_.image_column);
        const json* value = first_member(object, asked.empty() ? image_columns() : Names{asked});
        if (value == nullptr) lacks_column(file_, object, "the picture", "image-column", where, options_.image_column);
        if (value->is_object() && value->contains("path")) value = &(*value)["path"];
        if (!value->is_string()) bad_json(file_, where, "the picture's path is not a text");
        std::string path = trim_blanks(value->get<std::string>());
        if (path.starts_with("http://") || path.starts_with("https://"))
            bad_json(file_, where, fmt::format("'{}' is an address: download the pictures first", path));
        if (!fs::path(path).is_absolute()) return path;
        if (table_.form == TableForm::tar)
            bad_json(file_, where,
                     fmt::format("path '{}' begins at the root: make the tar with names below its folder", path));
        const fs::path below = fs::path(path).lexically_normal().lexically_relative(
            fs::absolute(pictures_ / table_.prefix).lexically_normal());
        if (below.empty() || *below.begin() == "..")
            bad_json(file_, where,
                     fmt::format("path '{}' leaves {}: give the folder of the pictures with --images", path,
                                 pictures_.string()));
        return below.string();
    }

    Names captions_of(const json& object, const std::string& where) const {
        // LLaVA's conversation: what is answered first
        if (const auto talk = object.find("conversations"); options_.caption_column.empty() && talk != object.end()) {
            for (const json& turn : json_list(file_, object, "conversations", where))
                if (const std::string from = json_text(file_, turn, "from", where);
                    from == "gpt" || from == "assistant")
                    return {json_text(file_, turn, "value", where)};
            bad_json(file_, where, "its conversation has no answer from 'gpt'");
        }
        const std::string asked = column(options_.caption_column);
        const Names columns = asked.empty() ? caption_columns() : Names{asked};
        const json* value = first_member(object, columns);
        if (value == nullptr) {
            // there, but null: no caption
            for (const std::string& name : columns)
                if (object.contains(name)) return {""};
            lacks_column(file_, object, "the caption", "caption-column", where, options_.caption_column);
        }
        if (value->is_string()) {
            const auto& text = value->get_ref<const std::string&>();
            const bool begins = text.starts_with("['") || text.starts_with("[\"");
            if (table_.form == TableForm::csv && begins && (text.ends_with("']") || text.ends_with("\"]")))
                bad_json(file_, where, "the caption is a list as Python prints it: write it by json.dumps");
            return {text};
        }
        Names captions;
        if (!value->is_array()) bad_json(file_, where, "the caption is neither a text nor a list of texts");
        for (const json& one : *value) {
            if (!one.is_string()) bad_json(file_, where, "a caption in the list is not a text");
            captions.push_back(one.get<std::string>());
        }
        return captions;
    }

    const TableFile& table_;
    const fs::path& pictures_;
    const SourceOptions& options_;
    Names& notes_;
    JsonFile file_;
};

// An "id" counts rows where one picture has several: then pictures go by their paths.
bool id_counts_rows(const std::vector<std::unique_ptr<TableReader>>& readers) {
    std::unordered_map<std::string, std::string> key_of_file;
    for (const auto& reader : readers)
        for (const Row& row : reader->rows)
            if (row.bare_id && key_of_file.try_emplace(row.file, row.key.text).first->second != row.key.text)
                return true;
    return false;
}

// Splits from the first folder of every path, where all of them are words for splits, and not one alone.
void split_by_folders(std::vector<std::unique_ptr<TableReader>>& readers) {
    std::map<std::string, std::int64_t> found;
    for (const auto& reader : readers)
        for (const Row& row : reader->rows) ++found[row.split.empty() ? split_of_folder(row.file) : ""];
    if (found.contains("") || found.size() < 2) return;
    for (const auto& reader : readers)
        for (Row& row : reader->rows) row.split = split_of_folder(row.file);
}

}    // namespace

std::string split_from_word(const std::string& word) {
    static const std::map<std::string, std::string> words = {
        {"train", "train"},    {"training", "train"}, {"restval", "train"}, {"val", "val"},   {"valid", "val"},
        {"validation", "val"}, {"dev", "val"},        {"eval", "val"},      {"test", "test"}, {"testing", "test"}};
    const auto found = words.find(lower_ascii(word));
    return found == words.end() ? "" : found->second;
}
std::string split_of_folder(const fs::path& path) {
    return path.has_parent_path() ? split_from_word(path.begin()->string()) : "";
}

std::vector<SourceSplit> read_tables(const std::vector<TableFile>& files, const fs::path& pictures,
                                     const SourceOptions& options, std::vector<std::string>& notes) {
    std::vector<std::unique_ptr<TableReader>> readers;
    for (const TableFile& file : files) {
        readers.push_back(std::make_unique<TableReader>(file, pictures, options, notes));
        readers.back()->read();
        if (readers.back()->rows.empty())
            bad_json(readers.back()->file(), "the whole file", "has no row about a picture");
    }

    const bool by_path = id_counts_rows(readers);
    split_by_folders(readers);
    std::map<std::string, SplitBuilder> builders;
    const bool some = std::any_of(readers.begin(), readers.end(), [](const auto& reader) {
        return std::any_of(reader->rows.begin(), reader->rows.end(), [](const Row& row) { return !row.split.empty(); });
    });
    for (std::size_t r = 0; r < readers.size(); ++r)
        for (Row& row : readers[r]->rows) {
            if (some && row.split.empty())
                bad_json(readers[r]->file(), row.where,
                         "has no split, and other rows have one: give all rows one or none");
            SplitBuilder& builder = builders.try_emplace(row.split, readers[r]->file(), row.split).first->second;
            builder.go_on_with(readers[r]->file());
            if (row.bare_id && by_path)
                row.key = key_of_path(files[r].keys_have_prefix ? fs::path(row.file)
                                                                : fs::path(row.file).lexically_relative(
                                                                      files[r].prefix.empty() ? "." : files[r].prefix));
            const auto [image, is_new] = builder.image(row.key, row.file, row.where);
            if (row.member >= 0) {
                if (!is_new)
                    bad_json(readers[r]->file(), row.where,
                             fmt::format("has the key '{}', which the one in {} has too: give each sample its own",
                                         row.key.text, builder.at(image).where));
                builder.at(image).tar = r;
                builder.at(image).member = row.member;
            }
            for (std::string& caption : row.captions) builder.caption(image, std::move(caption), row.where);
        }
    return finish_all(builders, options.limit);
}

}    // namespace blip

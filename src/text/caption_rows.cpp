// See caption_rows.h.
#include "blip/text/caption_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <iterator>

#include "blip/text/image_key.h"
#include "blip/text/text_file.h"

namespace blip {

using nlohmann::json;
using Names = std::vector<std::string>;

const Names& image_columns() {
    static const Names names = {"file_name", "image",      "filename", "image_path", "filepath", "file_path", "path",
                                "img_path",  "image_name", "img",      "image_file", "picture",  "file"};
    return names;
}

const Names& caption_columns() {
    static const Names names = {"caption",  "captions",  "text",        "texts",   "prompt",
                                "sentence", "sentences", "description", "comment", "raw"};
    return names;
}

const json* first_member(const json& object, const Names& names) {
    for (const std::string& name : names)
        if (const auto found = object.find(name); found != object.end() && !found->is_null()) return &*found;
    return nullptr;
}

void lacks_column(const JsonFile& file, const json& object, const char* what, const char* option,
                  const std::string& where, const std::string& asked) {
    Names there;
    for (const auto& member : object.items()) there.push_back(member.key());
    bad_json({file.path, fmt::format("name it with --{}", option)}, where,
             asked.empty() ? fmt::format("no column is known for {}; there are: {}", what, fmt::join(there, ", "))
                           : fmt::format("has no '{}' for {}; there are: {}", asked, what, fmt::join(there, ", ")));
}

std::string trim_blanks(std::string text) {
    text.erase(0, text.find_first_not_of(" \t"));
    text.erase(text.find_last_not_of(" \t") + 1);
    return text;
}

std::string lower_ascii(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

std::string lower_ending(const std::filesystem::path& file) { return lower_ascii(file.extension().string()); }

namespace {

json value_of_cell(const std::string& column, std::string cell) {
    if (std::find(std::begin(key_names), std::end(key_names), column) != std::end(key_names))
        return cell.empty() ? json(nullptr) : key_in_text(cell).to_json();
    if (cell.starts_with('[') && cell.ends_with(']')) {
        json list = json::parse(cell, nullptr, false);
        if (list.is_array() && !list.empty() &&
            std::all_of(list.begin(), list.end(), [](const json& one) { return one.is_string(); }))
            return list;
    }
    return json(std::move(cell));
}

void add_cell(json& object, const std::string& column, std::string cell) {
    json value = value_of_cell(column, std::move(cell));
    const auto [found, is_new] = object.emplace(column, value);
    if (is_new) return;
    if (!found->is_array()) *found = json::array({*found});
    if (value.is_array())
        found->insert(found->end(), value.begin(), value.end());
    else
        found->push_back(std::move(value));
}

}    // namespace

void for_each_table_row(const JsonFile& file, std::string_view text,
                        const std::function<bool(const std::string&)>& is_row, const TakeRow& take) {
    Names columns;
    const char delimiter = find_delimiter(text);
    for_each_row(file, text, delimiter, [&](std::int64_t line, Names cells) {
        const std::string where = fmt::format("line {}", line);
        if (columns.empty()) {
            const bool no_heading = is_row(cells[0]);
            if (no_heading && cells.size() >= 2)
                columns = {"image", "caption"};
            else
                for (const std::string& cell : cells) columns.push_back(lower_ascii(trim_blanks(cell)));
            if (!no_heading) return;
        }
        // a row of Flickr30k as Kaggle has it lacks a delimiter: "2199200615.jpg| 4   A dog runs across the grass ."
        if (delimiter == '|' && columns.size() == 3 && columns[1] == "comment_number" && cells.size() == 2)
            if (const std::size_t end = cells[1].find_first_not_of(" 0123456789"); end != std::string::npos) {
                cells.push_back(cells[1].substr(end));
                cells[1].resize(end);
            }
        if (cells.size() != columns.size())
            bad_json(file, where,
                     fmt::format("has {} cells, the heading {}: a cell with the delimiter '{}' in it stands in quotes",
                                 cells.size(), columns.size(), delimiter == '\t' ? "tab" : std::string(1, delimiter)));
        // spreadsheets end with such rows
        if (std::all_of(cells.begin(), cells.end(), [](const std::string& cell) { return cell.empty(); })) return;
        json object = json::object();
        for (std::size_t i = 0; i < cells.size(); ++i) {
            if (delimiter == '|') cells[i] = trim_blanks(cells[i]);
            add_cell(object, columns[i], std::move(cells[i]));
        }
        take(object, where);
    });
    if (columns.empty()) bad_json(file, "the whole file", "is empty");
}

void for_each_json_line(const JsonFile& file, std::string_view text, const TakeRow& take) {
    for_each_line(text, [&](std::int64_t line, std::string_view one) {
        if (one.find_first_not_of(" \t") == std::string_view::npos) return;
        const std::string where = fmt::format("line {}", line);
        json object;
        try {
            object = json::parse(one);
        } catch (const json::parse_error& problem) {
            bad_json(file, where, fmt::format("malformed JSON at column {}: a line is one whole object", problem.byte));
        } catch (const json::exception&) {    // its only other error here: a number above any double
            bad_json(file, where, "holds a number that is too large");
        }
        take(object, where);
    });
}

}    // namespace blip

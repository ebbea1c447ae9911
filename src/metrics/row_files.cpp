// Files of captions as rows. See row_files.h and caption_files.h.
#include "blip/text/caption_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/number.h"
#include "blip/text/text_file.h"
#include "src/metrics/row_files.h"

namespace blip {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr const char* remedy = "see blip_mpi score --help for the forms that are read";

// What files begin with that people give by mistake.
struct BinaryStart {
    std::string_view bytes;
    const char* what;
};
constexpr BinaryStart binary_starts[] = {
    {"\x89HDF\r\n\x1a\n", "HDF5: a packed data set goes with --references, as a file, not a pipe"},
    {"\x1f\x8b", "compressed: unpack it by gunzip, or give <(zcat FILE)"},
    {"PK\x03\x04", "a zip archive: unpack it"},
    {"\x80\x02", "a pickle of Python's: write JSON"},
    {"PAR1", "Parquet: write CSV or JSON lines"},
    {"\xff\xd8\xff", "a picture"},
    {"\x89PNG", "a picture"}};

// Throws bad_data where the first bytes are no text.
void refuse_binary(const fs::path& path, std::string_view start) {
    for (const BinaryStart& known : binary_starts)
        if (start.starts_with(known.bytes))
            throw Error(ExitCode::bad_data, "{} is not text but {}", path.string(), known.what);
    // UTF-16, which has zeros, is told by its reader
    if (!start.starts_with("\xff\xfe") && !start.starts_with("\xfe\xff") && start.size() > 4 &&
        std::count(start.begin(), start.end(), '\0') > 0 && start[0] != '\0' && start[1] != '\0')
        throw Error(ExitCode::bad_data, "{} is not text: there is a zero byte among the first {} bytes; {}",
                    path.string(), start.size(), remedy);
}

// More than one line of which the first is a whole object, or one object that is a row and not {"ID": [...]}.
bool is_json_lines(std::string_view text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view first = text.substr(0, end);
    const bool more = text.find_first_not_of(" \t\r\n", end) != std::string_view::npos;
    if (more) return json::accept(first);
    constexpr std::size_t longest_row = 1 << 20;
    if (text.size() > longest_row) return false;
    const json object = json::parse(first, nullptr, false);
    if (!object.is_object()) return false;
    const auto is_scalar = [&](const char* name) {
        const auto found = object.find(name);
        return found != object.end() && (found->is_string() || found->is_number());
    };
    return object.size() > 1 && std::any_of(std::begin(key_names), std::end(key_names), is_scalar);
}

void for_each_text_of(const CaptionText& text, const TakeRow& take) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(text.json.path))
        if (lower_ending(entry.path()) == ".txt" && entry.is_regular_file()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    if (files.empty()) bad_json(text.json, "the folder", "holds no text ID.txt");
    for (const fs::path& file : files) {
        json captions = json::array();
        for_each_line(read_text(file), [&](std::int64_t, std::string_view line) {
            std::string caption = trim_blanks(std::string(line));
            if (!caption.empty()) captions.push_back(std::move(caption));
        });
        take({{"id", key_in_text(file.stem().string()).to_json()}, {"captions", std::move(captions)}},
             file.filename().string());
    }
}

Names names_of_captions(CaptionSide side) {
    Names names = {"references", "refs", "gts"};
    if (side == CaptionSide::results) names = {"caption", "prediction", "hypothesis", "candidate", "generated_text"};
    names.insert(names.end(), caption_columns().begin(), caption_columns().end());
    return names;
}

Names captions_in(const CaptionText& text, const json& value, const std::string& where) {
    Names captions;
    for (const json& one : value.is_array() ? value : json::array({value})) {
        const json* caption = &one;
        if (one.is_object() && first_member(one, {"raw"}) != nullptr) caption = first_member(one, {"raw"});
        if (!caption->is_string()) bad_json(text.json, where, "a caption is not a text");
        check_text(text.json, caption->get<std::string>(), where);
        captions.push_back(*caption);
    }
    return captions;
}

Names captions_of_row(const CaptionText& text, const json& object, const CaptionColumns& columns, CaptionSide side,
                      const std::string& where) {
    const std::string asked = text.form == CaptionForm::table ? lower_ascii(columns.caption) : columns.caption;
    Names names = names_of_captions(side);
    if (!asked.empty()) names.insert(names.begin(), asked);
    if (columns.found != nullptr && object.contains(asked)) columns.found->insert(columns.caption);
    const json* value = first_member(object, names);
    for (const std::string& name : names)
        if (value == nullptr && object.contains(name)) bad_json(text.json, where, fmt::format("'{}' is null", name));
    if (value == nullptr) lacks_column(text.json, object, "the caption", "caption-column", where);
    Names captions = captions_in(text, *value, where);
    if (side == CaptionSide::results && captions.size() != 1)
        bad_json(text.json, where, fmt::format("has {} captions: of results each image has one", captions.size()));
    return captions;
}

std::string file_of_row(const CaptionText& text, const json& object, const std::string& where) {
    const json* value = first_member(object, image_columns());
    if (value == nullptr || !value->is_string()) return "";
    std::string file = *value;
    check_text(text.json, file, where);
    return file;
}

}    // namespace

CaptionText read_caption_text(const fs::path& path) {
    CaptionText result{.json = {path, remedy}};
    std::error_code absent;
    if (fs::is_directory(path, absent)) {
        result.form = CaptionForm::folder;
        return result;
    }
    const fs::path source = path == "-" ? "/dev/stdin" : path;
    std::string text = read_file(source, [&](std::string_view start) { refuse_binary(path, start); });
    const std::size_t first = first_sign(text);
    const char begins = first == std::string::npos ? '\0' : text[first];
    const bool looks_like_json = begins == '{' || begins == '[' || path.extension() == ".json" || begins == '\0' ||
                                 text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
    if (looks_like_json && !(begins == '{' && is_json_lines(std::string_view(text).substr(first)))) {
        // the root's own names may be ids
        result.json = parse_json(std::move(text), path, {"tokens", "sentids"}, remedy, IgnoredIn::all_but_root);
        if (!result.json.root.is_structured())
            bad_json(result.json, "the whole file", "is neither a list nor an object");
        return result;
    }
    result.form = looks_like_json ? CaptionForm::json_lines : CaptionForm::table;
    result.text = as_text(std::move(text), path);
    return result;
}

void for_each_object(const CaptionText& text, const char* value_name, const TakeRow& take) {
    switch (text.form) {
        case CaptionForm::json_lines:
            return for_each_json_line(text.json, text.text, take);
        case CaptionForm::table:
            return for_each_table_row(
                text.json, text.text, [](const std::string&) { return false; }, take);
        case CaptionForm::folder:
            return for_each_text_of(text, take);
        case CaptionForm::json:
            break;
    }
    const json& root = text.json.root;
    const json* list = root.is_array() ? &root : nullptr;
    if (root.is_object())
        if (const json* wrapped = first_member(root, {"annotations", "results", "predictions"}))
            if (wrapped->is_array() && !wrapped->empty() && wrapped->front().is_object()) list = wrapped;
    std::size_t row = 0;
    if (list != nullptr)
        for (const json& object : *list) take(object, fmt::format("row {}", row++));
    else
        for (const std::string& id : text.json.root_names) {
            check_text(text.json, id, "'" + id + "'");
            take({{"id", key_in_text(id).to_json()}, {value_name, root.at(id)}}, "'" + id + "'");
        }
}

std::optional<ImageKey> id_of_row(const CaptionText& text, const json& object, const CaptionColumns& columns,
                                  const std::string& where) {
    const bool table = text.form == CaptionForm::table;
    const std::string asked = table ? lower_ascii(columns.id) : columns.id;
    Names names(std::begin(key_names), std::end(key_names));
    if (!asked.empty()) names.insert(names.begin(), asked);
    if (columns.found != nullptr && object.contains(asked)) columns.found->insert(columns.id);
    for (const std::string& name : names) {
        const auto found = object.find(name);
        if (found == object.end() || found->is_null()) continue;
        ImageKey key = json_key(text.json, object, name.c_str(), where);
        return table && !key.is_number ? key_in_text(key.text) : key;
    }
    return std::nullopt;
}

void for_each_caption_row(const CaptionText& text, const CaptionColumns& columns, CaptionSide side,
                          const std::function<void(CaptionRow)>& take) {
    for_each_object(text, "caption", [&](const json& object, const std::string& where) {
        if (!object.is_object()) bad_json(text.json, where, "is not an object");
        CaptionRow row;
        if (side == CaptionSide::results) {
            if (object.contains("error") && !object.contains("caption")) return;
            const auto index = object.find("index");
            row.further = index != object.end() && *index != 0 && *index != "0";
        }
        row.id = id_of_row(text, object, columns, where);
        row.file = file_of_row(text, object, where);
        if (!row.id && row.file.empty()) lacks_column(text.json, object, "the image", "id-column", where);
        row.captions = captions_of_row(text, object, columns, side, where);
        take(std::move(row));
    });
}

std::vector<ImageResult> read_results(const fs::path& path, const CaptionColumns& columns) {
    const CaptionText text = read_caption_text(path);
    std::vector<ImageResult> results;
    for_each_caption_row(text, columns, CaptionSide::results, [&](CaptionRow row) {
        results.push_back(
            {row.id ? row.id->text : "", std::move(row.captions.front()), std::move(row.file), row.further});
    });
    check_all_text_was_seen(text.json);
    if (results.empty()) bad_json(text.json, "the whole file", "holds no captions");
    return results;
}

std::vector<std::pair<std::string, double>> read_spice(const fs::path& path, const CaptionColumns& columns) {
    const CaptionText text = read_caption_text(path);
    std::vector<std::pair<std::string, double>> scores;
    for_each_object(text, "SPICE", [&](const json& object, const std::string& where) {
        if (!object.is_object()) bad_json(text.json, where, "is not an object");
        const auto id = id_of_row(text, object, columns, where);
        if (!id) lacks_column(text.json, object, "the image", "id-column", where);
        const json* value = first_member(object, {"SPICE", "spice", "scores"});
        for (const char* inner : {"All", "f"})
            if (value != nullptr && value->is_object()) value = first_member(*value, {inner});
        double score = -1;
        if (value != nullptr && value->is_number()) score = value->get<double>();
        if (value != nullptr && value->is_string())    // of a table
            score = number_in<double>(value->get_ref<const std::string&>()).value_or(-1);
        if (!(score >= 0 && score <= 1)) bad_json(text.json, where, "has no 'SPICE' or 'scores' from 0 to 1");
        scores.emplace_back(id->text, score);
    });
    return scores;
}

}    // namespace blip

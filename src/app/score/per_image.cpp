// See per_image.h.
#include "src/app/score/per_image.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/json.h"
#include "blip/text/text_file.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

ordered_json row_of(const PerImage& rows, std::size_t i, const char* id_name) {
    ordered_json row;
    row[id_name] = rows.images[i].id.to_json();
    if (!rows.images[i].file.empty()) row["file"] = rows.images[i].file;
    row["caption"] = rows.captions[i].caption;
    row["references"] = rows.images[i].captions;
    row["length"] = rows.details.hypotheses[i].size();
    row["reference_lengths"] = ordered_json::array();
    for (const Tokens& tokens : rows.details.reference_tokens[i]) row["reference_lengths"].push_back(tokens.size());
    for (const auto& [name, values] : rows.scores) row[name] = values.per_image[i];
    return row;
}

std::string cell_of(const ordered_json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array()) return value.is_null() ? "" : value.dump();
    std::string cell;
    for (const ordered_json& one : value) cell += (cell.empty() ? "" : " | ") + cell_of(one);
    return cell;
}

// As Python's csv writes a cell of excel-tab: tabs stand in quotes, too.
std::string separated(const std::string& cell, char delimiter) {
    std::string plain = csv_cell(cell);
    if (delimiter == ',' || plain.find(delimiter) == std::string::npos || plain.starts_with('"')) return plain;
    return '"' + plain + '"';
}

std::string table_of(const PerImage& rows, const char* id_name, char delimiter) {
    std::vector<std::string> columns = {id_name, "file", "caption", "references", "length", "reference_lengths"};
    for (const auto& [name, values] : rows.scores) columns.push_back(name);
    std::string text = fmt::format("{}\n", fmt::join(columns, std::string(1, delimiter)));
    for (std::size_t i = 0; i < rows.images.size(); ++i) {
        const ordered_json row = row_of(rows, i, id_name);
        for (std::size_t k = 0; k < columns.size(); ++k) {
            if (k > 0) text += delimiter;
            if (const auto found = row.find(columns[k]); found != row.end())
                text += separated(cell_of(*found), delimiter);
        }
        text += '\n';
    }
    return text;
}

}    // namespace

void write_per_image(const fs::path& file, const PerImage& rows, const char* id_name) {
    const std::string ending = file.extension().string();
    if (ending == ".csv") return write_file_durably(file, table_of(rows, id_name, ','));
    if (ending == ".tsv") return write_file_durably(file, table_of(rows, id_name, '\t'));
    std::string text;
    ordered_json list = ordered_json::array();
    for (std::size_t i = 0; i < rows.images.size(); ++i) {
        ordered_json row = row_of(rows, i, id_name);
        if (ending == ".jsonl")
            text += to_line(row) + "\n";
        else
            list.push_back(std::move(row));
    }
    write_file_durably(file, ending == ".jsonl" ? text : to_line(list, 1) + "\n");
}

void write_metrics_by_item(const fs::path& file, const PerImage& rows) {
    // where its names are others
    static const std::map<std::string, std::string> names = {
        {"Bleu_1", "BLEU-1"}, {"Bleu_2", "BLEU-2"}, {"Bleu_3", "BLEU-3"}, {"Bleu_4", "BLEU-4"}, {"ROUGE_L", "ROUGE-L"}};
    ordered_json metrics;
    for (const auto& [name, values] : rows.scores) {
        const auto other = names.find(name);
        ordered_json& metric = metrics[other == names.end() ? name : other->second];
        metric["score"] = values.corpus;
        for (std::size_t i = 0; i < rows.images.size(); ++i)
            metric["per_item"][rows.images[i].id.text] = values.per_image[i];
    }
    write_file_durably(file, to_line(metrics, 1) + "\n");
}

void check_can_be_written(const fs::path& file) {
    std::error_code ignored;
    if (fs::is_directory(file, ignored)) throw Error(ExitCode::io, "cannot write {}: it is a folder", file.string());
    const DurableFile attempt(file);
}

}    // namespace blip

// Files of captions as rows, whatever form they have. Internal to the metrics layer: read by caption_files.cpp and
// row_files.cpp.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "blip/metrics/caption_files.h"
#include "blip/text/image_key.h"
#include "blip/text/json_file.h"

namespace blip {

enum class CaptionForm { json, json_lines, table, folder };

struct CaptionText {
    CaptionForm form = CaptionForm::json;
    JsonFile json{};       // of json: all of it; of others: path and remedy
    std::string text{};    // of json_lines and table
};

// Reads a file (- is standard input) or the names of a folder, and tells its form. Errors as read_references.
CaptionText read_caption_text(const std::filesystem::path& path);

enum class CaptionSide { references, results };

struct CaptionRow {
    std::optional<ImageKey> id;
    std::string file;    // the picture's; with no id, never empty
    std::vector<std::string> captions;
    bool further = false;    // of results: a caption behind the picture's first (an "index" above 0)
};

// The rows of json (a list, or an object of ids), json_lines, table and folder. Throws bad_data for a row without id
// and file, or without captions.
void for_each_caption_row(const CaptionText& text, const CaptionColumns& columns, CaptionSide side,
                          const std::function<void(CaptionRow)>& take);
// The same rows as objects; of an object of ids: {"id": ID, value_name: value}.
void for_each_object(const CaptionText& text, const char* value_name,
                     const std::function<void(const nlohmann::json& object, const std::string& where)>& take);
// A row's id: the column that was asked for, else the first of the usual names.
std::optional<ImageKey> id_of_row(const CaptionText& text, const nlohmann::json& object, const CaptionColumns& columns,
                                  const std::string& where);

}    // namespace blip

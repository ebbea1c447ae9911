// Rows of pictures and captions as people write them, CSV, TSV and JSON lines, as JSON objects; the names that their
// columns have. Used by coco_pack's readers and by metrics/caption_files.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "blip/text/json_file.h"

namespace blip {

// The columns that are taken for a picture's path, and for a caption; in the order of looking.
const std::vector<std::string>& image_columns();
const std::vector<std::string>& caption_columns();

// The first of these members that is there and not null; nullptr if there is none.
const nlohmann::json* first_member(const nlohmann::json& object, const std::vector<std::string>& names);

// Throws bad_data, which names the members that the object has: none is known for what is looked for. option: of the
// program, which names one; asked: the one that it named, which is not there.
[[noreturn]] void lacks_column(const JsonFile& file, const nlohmann::json& object, const char* what, const char* option,
                               const std::string& where, const std::string& asked = "");

// takes an object and where it stands ("line 7")
using TakeRow = std::function<void(const nlohmann::json& object, const std::string& where)>;

// Rows of a text with a heading, whose names become lower case; cells of key_names are keys as key_in_text reads them
// (empty: null), others texts, or lists of texts in JSON; columns of one name become a list, and rows of empty cells
// are skipped. The delimiter is the first line's (find_delimiter). is_row: of the first cell of the first line, whether
// that is a row and there is no heading, which then is "image", "caption". Throws bad_data naming file and line: a row
// of another length, an empty file.
void for_each_table_row(const JsonFile& file, std::string_view text,
                        const std::function<bool(const std::string&)>& is_row, const TakeRow& take);
// JSON lines; blank ones are skipped. Throws bad_data naming file, line and column.
void for_each_json_line(const JsonFile& file, std::string_view text, const TakeRow& take);

std::string trim_blanks(std::string text);    // spaces and tabs at both ends
std::string lower_ascii(std::string text);
std::string lower_ending(const std::filesystem::path& file);    // ".txt" of A.TXT

}    // namespace blip

// Text files that people write: UTF-8 or named as what they are instead; CSV. Used by coco_pack's readers and by the
// captions that go into files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "blip/text/json_file.h"

namespace blip {

// The whole file without its byte order mark. Throws missing_input, io; bad_data for a pipe or device, and with line
// and column for what is not UTF-8, saying what it looks like (UTF-16, Latin-1) and how to change it.
std::string read_text(const std::filesystem::path& path);
// The same of bytes that were read; origin is named in errors.
std::string as_text(std::string bytes, const std::filesystem::path& origin);

// The place of the first character behind a byte order mark and white space; npos where there is none.
std::size_t first_sign(std::string_view text);

// The lines of a text, without their ends. line: from 1.
void for_each_line(std::string_view text, const std::function<void(std::int64_t line, std::string_view)>& take);

// The rows of a CSV text as Python's csv reads them: cells in quotes may hold delimiters, doubled quotes and line ends;
// empty lines are skipped. line: where the row begins, from 1. Throws bad_data for quotes that do not end.
void for_each_row(const JsonFile& file, std::string_view text, char delimiter,
                  const std::function<void(std::int64_t line, std::vector<std::string> cells)>& take);
// A cell as it stands in a CSV text, in quotes where it needs them.
std::string csv_cell(std::string_view text);
// Of the first line: the one of , tab ; | that is there most often.
char find_delimiter(std::string_view text);

}    // namespace blip

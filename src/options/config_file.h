// "name = value" lines with # comments: the config file's syntax. Internal to the options layer.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace blip {

struct ConfigLine {
    int number = 0;    // from 1
    std::string name;
    std::string value;
};

// The file's text. Throws usage for one of more than a MiB or with a zero byte.
std::string read_config_text(const std::filesystem::path& path);
// Throws usage naming file and line if a line is neither empty, a comment nor `name = value`; missing_input without a
// file. A value ends at " #"; one in double quotes keeps spaces and # (escapes: \" \\ \n \t).
std::vector<ConfigLine> read_config_file(const std::filesystem::path& path);
// The value as it must be written so that it is read back unchanged.
std::string quote_config_value(std::string_view value);

}    // namespace blip

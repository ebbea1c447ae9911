// Reads and quotes the lines of a config file; used by parse.cpp and help.cpp.
#include "src/options/config_file.h"

#include <algorithm>
#include <sstream>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"

namespace blip {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// text starts with a quote; what follows the closing one may only be a comment. Returns false if the syntax is broken.
bool read_quoted(std::string_view text, std::string& value) {
    std::size_t i = 1;
    for (; i < text.size() && text[i] != '"'; ++i) {
        char c = text[i];
        if (c == '\\') {
            if (++i == text.size()) return false;
            constexpr std::string_view escapes = "\"\\nt", meant = "\"\\\n\t";
            const auto which = escapes.find(text[i]);
            if (which == std::string_view::npos) return false;
            c = meant[which];
        }
        value += c;
    }
    if (i == text.size()) return false;
    const auto rest = trimmed(text.substr(i + 1));
    return rest.empty() || rest.front() == '#';
}

// Up to a # that follows a blank.
std::string_view without_comment(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] == '#' && (i == 0 || blanks.find(text[i - 1]) != std::string_view::npos)) return text.substr(0, i);
    return text;
}

}    // namespace

std::string read_config_text(const std::filesystem::path& path) {
    std::error_code none;
    constexpr std::uintmax_t most_bytes = 1 << 20;
    if (const auto bytes = std::filesystem::file_size(path, none); !none && bytes > most_bytes)
        throw Error(ExitCode::usage, "{}: {} bytes are no config file", path.string(), bytes);
    std::string text = read_file(path);
    if (const auto zero = text.find('\0'); zero != std::string::npos)
        throw Error(ExitCode::usage, "{}:{}: a zero byte: a config file is plain text (UTF-8)", path.string(),
                    1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), '\n'));
    return text;
}

std::vector<ConfigLine> read_config_file(const std::filesystem::path& path) {
    std::string content = read_config_text(path);
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";    // some editors put it in front
    if (content.starts_with(byte_order_mark)) content.erase(0, byte_order_mark.size());
    std::istringstream text(std::move(content));
    std::vector<ConfigLine> lines;
    int number = 0;
    for (std::string whole; std::getline(text, whole);) {
        const auto line = trimmed(whole);
        ++number;
        if (line.empty() || line.front() == '#') continue;
        const auto equals = line.find('=');
        ConfigLine entry{number, std::string(trimmed(line.substr(0, equals))), ""};
        bool good = equals != std::string_view::npos && !entry.name.empty();
        if (good) {
            const auto text = trimmed(line.substr(equals + 1));
            if (!text.empty() && text.front() == '"')
                good = read_quoted(text, entry.value);
            else
                entry.value = trimmed(without_comment(text));
        }
        if (!good) throw Error(ExitCode::usage, "{}:{}: '{}' is not `name = value`", path.string(), number, line);
        lines.push_back(std::move(entry));
    }
    return lines;
}

std::string quote_config_value(std::string_view value) {
    if (!value.empty() && value == trimmed(value) && value.find_first_of("#\"\\\n") == std::string_view::npos)
        return std::string(value);
    std::string quoted = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') quoted += '\\';
        if (c == '\n')
            quoted += "\\n";
        else if (c == '\t')
            quoted += "\\t";
        else
            quoted += c;
    }
    return quoted + '"';
}

}    // namespace blip

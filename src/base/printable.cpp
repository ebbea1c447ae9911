// See printable.h. By hand: base stands below text, and needs no more of Unicode than this.
#include "blip/base/printable.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>

namespace blip {

namespace {

// Length in bytes of the well-formed UTF-8 sequence that text begins with, and its code point; 0 if there is none.
std::size_t decode(std::string_view text, char32_t& code) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    code = first;
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    code = first & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return 0;
        code = code << 6 | (byte(i) & 0x3FU);
    }
    constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < smallest[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

bool is_harmful(char32_t c) {
    return (c < 0x20 && c != U'\t') || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

}    // namespace

std::string printable(std::string_view text, LineEnds line_ends) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        char32_t code = 0;
        const std::size_t length = decode(text, code);
        const bool kept = code == U'\n' && (line_ends == LineEnds::stay ||
                                            (line_ends == LineEnds::indented && text.substr(1).starts_with(' ')));
        if (length == 0)
            result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
        else if (kept || !is_harmful(code))
            result += text.substr(0, length);
        else
            result += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
}

std::string printable(std::string_view name) {
    constexpr std::size_t longest = 100;
    return printable_line(name.substr(0, longest)) + (name.size() > longest ? "..." : "");
}

std::string counted(std::int64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string some_of(const std::vector<std::string>& names) {
    constexpr std::size_t most = 20;
    return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + std::min(names.size(), most), ", "),
                       names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
}

}    // namespace blip

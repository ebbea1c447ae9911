// Reading of option values, and the ranges of numbers; what the setters of the table use.
#include "src/options/value.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "src/options/suggestion.h"

namespace blip {

std::string Bounds::text() const {
    const bool has_low = std::isfinite(low), has_high = std::isfinite(high);
    const std::string lower = has_low ? fmt::format("{} {}", low_open ? "above" : "at least", low) : "";
    const std::string upper = has_high ? fmt::format("{} {}", high_open ? "below" : "at most", high) : "";
    return lower + (has_low && has_high ? ", " : "") + upper;
}

std::string Bounds::notation() const {
    const bool has_low = std::isfinite(low), has_high = std::isfinite(high);
    if (has_low && has_high && !low_open && !high_open) return fmt::format("{}..{}", low, high);
    if (has_low && has_high)
        return fmt::format("{} {} x {} {}", low, low_open ? "<" : "<=", high_open ? "<" : "<=", high);
    if (has_low) return fmt::format("{} {}", low_open ? ">" : ">=", low);
    return has_high ? fmt::format("{} {}", high_open ? "<" : "<=", high) : "";
}

bool read_on_off(std::string_view text) {
    if (text == "on") return true;
    if (text == "off") return false;
    throw BadValue(fmt::format("'{}' is neither on nor off", text));
}

std::string read_choice(std::string_view text, const std::vector<std::string>& choices) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end())
        throw BadValue(
            fmt::format("'{}' is none of {}{}", text, fmt::join(choices, ", "), did_you_mean(text, choices)));
    return std::string(text);
}

std::vector<std::string> read_list(std::string_view text, const std::vector<std::string>& choices) {
    std::vector<std::string> values;
    while (true) {
        const auto comma = text.find(',');
        auto value = read_choice(text.substr(0, comma), choices);
        if (std::find(values.begin(), values.end(), value) != values.end())
            throw BadValue(fmt::format("'{}' is listed twice", value));
        values.push_back(std::move(value));
        if (comma == std::string_view::npos) return values;
        text.remove_prefix(comma + 1);
    }
}

}    // namespace blip

// Numbers in text.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace blip {

// The whole of the text as a number of this type: no blanks, no +, nothing behind it, none that the type cannot hold.
template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

}    // namespace blip

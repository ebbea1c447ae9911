// Text of an option's value to its field and back. Internal to the options layer.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "blip/options/table.h"

namespace blip {

// What is wrong with a value, without the option's name: parse adds that, and where it was given.
class BadValue : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Numbers: the whole text must be one, and in the range.
template <class Number>
void read_number(std::string_view text, const Bounds& range, Number& value) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (error == std::errc::result_out_of_range)
        throw BadValue(fmt::format("'{}' is outside what a number here can hold", text));
    if (!whole || !std::isfinite(static_cast<double>(number)))
        throw BadValue(fmt::format("'{}' is not a {}number", text, std::is_integral_v<Number> ? "whole " : ""));
    if (!range.holds(static_cast<double>(number)))
        throw BadValue(fmt::format("{} is out of range: {}", text, range.text()));
    value = number + Number{};    // -0 is 0
}

bool read_on_off(std::string_view text);
inline std::string show_on_off(bool value) { return value ? "on" : "off"; }
// The text, if it is one of the choices.
std::string read_choice(std::string_view text, const std::vector<std::string>& choices);
// "val,test": different ones of the choices.
std::vector<std::string> read_list(std::string_view text, const std::vector<std::string>& choices);

}    // namespace blip

// Text of an option's value to its field and back, with what is accepted. Internal to the options layer.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace blip {

// What is wrong with a value, without the option's name: parse adds that, and where it was given.
class BadValue : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Numbers that an option accepts.
struct Range {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool low_open = false, high_open = false;    // the bound itself is excluded

    bool holds(double value) const {
        return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
    }
    std::string text() const;        // "at least 1, at most 16"
    std::string notation() const;    // "1..16", ">= 1"
};
inline Range any_number() { return {}; }
inline Range at_least(double low) { return {.low = low}; }
inline Range above(double low) { return {.low = low, .low_open = true}; }
inline Range between(double low, double high) { return {.low = low, .high = high}; }
inline Range share() { return {.low = 0, .high = 1, .high_open = true}; }    // [0, 1)

// Numbers: the whole text must be one, and in the range.
template <class Number>
void read_number(std::string_view text, const Range& range, Number& value) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (error == std::errc::result_out_of_range)
        throw BadValue(fmt::format("'{}' is outside what a number here can hold", text));
    if (!whole || !std::isfinite(static_cast<double>(number)))
        throw BadValue(fmt::format("'{}' is not a {}number", text, std::is_integral_v<Number> ? "whole " : ""));
    if (!range.holds(static_cast<double>(number)))
        throw BadValue(fmt::format("{} is out of range: {}", text, range.text()));
    value = number;
}

bool read_on_off(std::string_view text);
inline std::string show_on_off(bool value) { return value ? "on" : "off"; }
// The text, if it is one of the choices.
std::string read_choice(std::string_view text, const std::vector<std::string>& choices);
// "val,test": different ones of the choices.
std::vector<std::string> read_list(std::string_view text, const std::vector<std::string>& choices);

}    // namespace blip

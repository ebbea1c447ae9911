// See the header. How words are read is in words.cpp, how help is laid out in help.cpp.
#include "blip/options/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "src/options/value.h"

namespace blip {

void OptionTable::group(std::string title, unsigned verbs) {
    group_ = std::move(title);
    verbs_ = verbs;
}

OptionSpec& OptionTable::own(std::string name, std::string value_name, std::string meaning,
                             std::function<void(std::string_view)> set, std::function<std::string()> get,
                             unsigned traits) {
    OptionSpec& spec = specs_.emplace_back();
    spec.name = std::move(name);
    spec.group = group_;
    spec.value_name = std::move(value_name);
    spec.meaning = std::move(meaning);
    spec.verbs = verbs_;
    spec.traits = traits;
    spec.shown_by = spec.is(often) ? ~0U : 0;
    spec.set = std::move(set);
    spec.get = std::move(get);
    return spec;
}

template <class Number>
OptionSpec& OptionTable::number(std::string name, std::string value_name, std::string meaning, const Bounds& range,
                                Number& field, unsigned traits) {
    OptionSpec& spec = own(
        std::move(name), std::move(value_name), std::move(meaning),
        [range, &field](std::string_view text) { read_number(text, range, field); },
        [&field] { return fmt::format("{}", field); }, traits);
    spec.range = range.notation();
    return spec;
}
template OptionSpec& OptionTable::number(std::string, std::string, std::string, const Bounds&, int&, unsigned);
template OptionSpec& OptionTable::number(std::string, std::string, std::string, const Bounds&, std::int64_t&, unsigned);
template OptionSpec& OptionTable::number(std::string, std::string, std::string, const Bounds&, std::uint64_t&,
                                         unsigned);
template OptionSpec& OptionTable::number(std::string, std::string, std::string, const Bounds&, double&, unsigned);

OptionSpec& OptionTable::path(std::string name, std::string value_name, std::string meaning,
                              std::filesystem::path& field, unsigned traits) {
    return own(
        std::move(name), std::move(value_name), std::move(meaning),
        [&field](std::string_view text) {
            if (text.empty()) throw BadValue("needs a value");
            field = text;
        },
        [&field] { return field.string(); }, traits);
}

OptionSpec& OptionTable::text(std::string name, std::string value_name, std::string meaning, std::string& field,
                              unsigned traits) {
    return own(
        std::move(name), std::move(value_name), std::move(meaning), [&field](std::string_view text) { field = text; },
        [&field] { return field; }, traits);
}

OptionSpec& OptionTable::choice(std::string name, std::vector<std::string> choices, std::string meaning,
                                std::string& field, unsigned traits) {
    std::string value_name = fmt::format("{}", fmt::join(choices, "|"));
    return own(
        std::move(name), std::move(value_name), std::move(meaning),
        [choices = std::move(choices), &field](std::string_view text) { field = read_choice(text, choices); },
        [&field] { return field; }, traits);
}

OptionSpec& OptionTable::list(std::string name, std::string value_name, std::vector<std::string> choices,
                              std::string meaning, std::vector<std::string>& field, unsigned traits) {
    return own(
        std::move(name), std::move(value_name), std::move(meaning),
        [choices = std::move(choices), &field](std::string_view text) { field = read_list(text, choices); },
        [&field] { return fmt::format("{}", fmt::join(field, ",")); }, traits);
}

OptionSpec& OptionTable::on_off(std::string name, std::string meaning, bool& field, unsigned traits) {
    return own(
        std::move(name), "on|off", std::move(meaning), [&field](std::string_view text) { field = read_on_off(text); },
        [&field] { return show_on_off(field); }, traits);
}

OptionSpec& OptionTable::flag(std::string name, std::string meaning, bool& field, unsigned traits, bool when_given) {
    return own(
        std::move(name), "", std::move(meaning),
        [&field, when_given](std::string_view text) { field = read_on_off(text) == when_given; },
        [&field, when_given] { return show_on_off(field == when_given); }, traits);
}

const OptionSpec* OptionTable::find(std::string_view name, unsigned verb) const {
    const OptionSpec* of_others = nullptr;
    for (const OptionSpec& spec : specs_) {
        if (spec.name != name) continue;
        if (spec.used_by(verb)) return &spec;
        of_others = &spec;
    }
    return of_others;
}

bool OptionTable::given(std::string_view name) const {
    return std::any_of(specs_.begin(), specs_.end(),
                       [&](const OptionSpec& spec) { return spec.name == name && spec.given; });
}

}    // namespace blip

// How the table of options is written down. Internal to option_table*.cpp.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <utility>
#include <vector>

#include "src/options/option_table.h"
#include "src/options/option_value.h"

namespace blip {

// Access to a field of ParsedCommandLine, const or not.
#define FIELD(path) \
    [](auto& given) -> auto& { return given.path; }

class TableBuilder {
  public:
    void group(std::string title, unsigned verbs) {
        group_ = std::move(title);
        verbs_ = verbs;
    }

    // at: FIELD of a number
    template <class Access>
    OptionSpec& number(std::string name, std::string value_name, std::string meaning, Range range, Access at) {
        OptionSpec& spec = add(std::move(name), std::move(value_name), std::move(meaning));
        spec.range = range.notation();
        spec.set = [range, at](ParsedCommandLine& given, std::string_view text) {
            read_number(text, range, at(given));
        };
        spec.get = [at](const ParsedCommandLine& given) { return fmt::format("{}", at(given)); };
        return spec;
    }
    // at: FIELD of a path
    template <class Access>
    OptionSpec& path(std::string name, std::string value_name, std::string meaning, Access at) {
        OptionSpec& spec = add(std::move(name), std::move(value_name), std::move(meaning));
        spec.set = [at](ParsedCommandLine& given, std::string_view text) {
            if (text.empty()) throw BadValue("needs a value");
            at(given) = text;
        };
        spec.get = [at](const ParsedCommandLine& given) { return at(given).string(); };
        return spec;
    }
    // at: FIELD of a string
    template <class Access>
    OptionSpec& choice(std::string name, std::vector<std::string> choices, std::string meaning, Access at) {
        OptionSpec& spec = add(std::move(name), fmt::format("{}", fmt::join(choices, "|")), std::move(meaning));
        spec.set = [choices, at](ParsedCommandLine& given, std::string_view text) {
            at(given) = read_choice(text, choices);
        };
        spec.get = [at](const ParsedCommandLine& given) { return at(given); };
        return spec;
    }
    // A switch; at: FIELD of a bool that becomes `when_given`.
    template <class Access>
    OptionSpec& flag(std::string name, std::string meaning, bool when_given, Access at) {
        OptionSpec& spec = add(std::move(name), "", std::move(meaning));
        spec.set = [=](ParsedCommandLine& given, std::string_view text) {
            at(given) = read_on_off(text) == when_given;
        };
        spec.get = [=](const ParsedCommandLine& given) { return show_on_off(at(given) == when_given); };
        return spec;
    }
    OptionSpec& add(std::string name, std::string value_name, std::string meaning) {
        OptionSpec& spec = table_.emplace_back();
        spec.name = std::move(name);
        spec.group = group_;
        spec.value_name = std::move(value_name);
        spec.meaning = std::move(meaning);
        spec.verbs = verbs_;
        return spec;
    }
    std::vector<OptionSpec> take() { return std::move(table_); }

  private:
    std::vector<OptionSpec> table_;
    std::string group_;
    unsigned verbs_ = for_all;
};

// The parts of the table, in the order of the help.
void add_model(TableBuilder& table);
void add_captions(TableBuilder& table);
void add_export(TableBuilder& table);
void add_machine(TableBuilder& table);

}    // namespace blip

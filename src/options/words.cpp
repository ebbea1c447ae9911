// See the header.
#include "src/options/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <set>

#include "blip/base/error.h"
#include "src/options/suggestion.h"
#include "src/options/value.h"

namespace blip {
namespace {

namespace po = boost::program_options;

[[noreturn]] void refuse(const std::string& message) { throw Error(ExitCode::usage, message); }

[[noreturn]] void refuse_without_value(const OptionSpec& spec) {
    refuse(fmt::format("--{} needs a value: --{} {}", spec.name, spec.name, spec.value_name));
}

std::string without_dashes(std::string name) { return name.erase(0, name.find_first_not_of('-')); }

// Verbs may have options of one name: that of this verb counts.
po::options_description known_options(const OptionTable& table, unsigned verb) {
    po::options_description known;
    std::set<std::string> names;
    for (const bool of_verb : {true, false})
        for (const OptionSpec& spec : table.specs()) {
            if (spec.used_by(verb) != of_verb || !names.insert(spec.name).second) continue;
            if (spec.is_switch())
                known.add_options()(spec.name.c_str(), "");
            else
                known.add_options()(spec.name.c_str(), po::value<std::string>(), "");
        }
    known.add_options()("words", po::value<std::vector<std::string>>(), "");
    return known;
}

void add_flag(Words& words, Given flag) {
    const auto earlier = std::find_if(words.flags.begin(), words.flags.end(),
                                      [&](const Given& given) { return given.spec == flag.spec; });
    if (earlier == words.flags.end() || flag.spec->is(repeatable)) return words.flags.push_back(std::move(flag));
    if (earlier->value != flag.value)
        words.notes.push_back(fmt::format("{} is given more than once; the last counts: {} instead of {}", flag.where,
                                          flag.value, earlier->value));
    *earlier = std::move(flag);
}

}    // namespace

Words split_words(const OptionTable& table, const std::vector<std::string>& arguments, unsigned verb) {
    Words words;
    const po::options_description known = known_options(table, verb);
    po::positional_options_description positional;
    positional.add("words", -1);
    try {
        namespace style = po::command_line_style;
        const auto parsed = po::command_line_parser(arguments)
                                .options(known)
                                .positional(positional)
                                .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
                                .run();
        for (const auto& option : parsed.options) {
            if (option.position_key >= 0 || option.string_key == "words") {
                words.loose.insert(words.loose.end(), option.value.begin(), option.value.end());
                continue;
            }
            const OptionSpec* spec = table.find(option.string_key, verb);
            // "--output --fresh" lacks a value; "--output=--fresh" is taken at its
            // word
            if (option.original_tokens.size() == 2 && option.original_tokens.back().starts_with("--"))
                refuse_without_value(*spec);
            const std::string value = spec->is_switch() ? "on" : option.value.empty() ? "" : option.value.front();
            add_flag(words, {spec, value, "--" + spec->name, false});
        }
    } catch (const po::unknown_option& problem) {
        const std::string name = without_dashes(problem.get_option_name());
        refuse(fmt::format("there is no option --{}{}", name, suggestion(table, name, "--", verb)));
    } catch (const po::error_with_option_name& problem) {
        const std::string name = without_dashes(problem.get_option_name());
        const OptionSpec* spec = table.find(name, verb);
        if (spec == nullptr) refuse(problem.what());
        if (spec->is_switch()) refuse(fmt::format("--{} takes no value", name));
        refuse_without_value(*spec);
    }
    return words;
}

void apply(const Given& given) {
    try {
        given.spec->set(given.value);
    } catch (const BadValue& problem) {
        refuse(fmt::format("{}: {}", given.where, problem.what()));
    }
}

bool OptionTable::read_words(const std::vector<std::string>& arguments, std::vector<std::string>* loose) {
    bool help = false;
    OptionTable all = *this;
    all.flag("help", "", help);
    const Words words = split_words(all, arguments);
    for (const Given& flag : words.flags) help |= flag.spec->name == "help";
    if (help) return false;
    if (loose != nullptr)
        *loose = words.loose;
    else if (!words.loose.empty())
        refuse(fmt::format("'{}' is neither an option nor an option's value", words.loose[0]));
    for (const Given& flag : words.flags) {
        apply(flag);
        for (OptionSpec& spec : specs_) spec.given |= spec.name == flag.spec->name;
    }
    return true;
}

}    // namespace blip

// See the header. Boost.Program_options splits the words; conversion and messages are the table's own.
#include "blip/options/tool_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <stdexcept>

#include "blip/base/error.h"
#include "src/options/nearest_word.h"
#include "src/options/option_value.h"

namespace blip {

ToolOptions::ToolOptions(std::string program, std::string purpose)
    : program_(std::move(program)), purpose_(std::move(purpose)) {}

void ToolOptions::declare(Option option) { options_.push_back(std::move(option)); }

void ToolOptions::add_flag(const std::string& name, bool& target, const std::string& help) {
    Option option{name, "", help, "", false, [&target](const auto&) { target = true; }};
    declare(std::move(option));
}

void ToolOptions::add(const std::string& name, const std::string& value_name, std::filesystem::path& target,
                      const std::string& help) {
    const auto set = [&target](const std::vector<std::string>& words) {
        if (words[0].empty()) throw std::invalid_argument("the name is empty");
        target = words[0];
    };
    declare({name, value_name, help, target.string(), false, set});
}

void ToolOptions::add(const std::string& name, const std::string& value_name, std::string& target,
                      const std::string& help) {
    const auto set = [&target](const std::vector<std::string>& words) { target = words[0]; };
    declare({name, value_name, help, target.empty() ? "" : "'" + target + "'", false, set});
}

void ToolOptions::add(const std::string& name, const std::string& value_name, std::int64_t& target, std::int64_t low,
                      std::int64_t high, const std::string& help) {
    const auto set = [&target, low, high](const std::vector<std::string>& words) {
        read_number(words[0], between(static_cast<double>(low), static_cast<double>(high)), target);
    };
    declare({name, value_name, help, std::to_string(target), false, set});
}

void ToolOptions::add_choice(const std::string& name, const std::string& value_name, std::string& target,
                             const std::vector<std::string>& choices, const std::string& help) {
    const auto set = [&target, choices](const std::vector<std::string>& words) {
        target = read_choice(words[0], choices);
    };
    declare({name, value_name, help, target, false, set});
}

void ToolOptions::add_names(const std::string& name, const std::string& value_name, std::vector<std::string>& target,
                            const std::vector<std::string>& choices, const std::string& help) {
    const auto set = [&target, choices](const std::vector<std::string>& words) {
        target = read_list(words[0], choices);
    };
    declare({name, value_name, help, fmt::format("{}", fmt::join(target, ",")), false, set});
}

void ToolOptions::add_list(const std::string& name, const std::string& value_name, std::vector<std::string>& target,
                           const std::function<void(const std::string&)>& check, const std::string& help) {
    const auto set = [&target, check](const std::vector<std::string>& words) {
        for (const auto& word : words) check(word);
        target = words;
    };
    declare({name, value_name + " ...", help, fmt::format("{}", fmt::join(target, " ")), true, set});
}

bool ToolOptions::given(const std::string& name) const {
    return std::any_of(options_.begin(), options_.end(),
                       [&](const auto& option) { return option.name == name && option.given; });
}

std::string ToolOptions::help() const {
    std::string text = fmt::format("{}\n\nOptions of {}:\n", purpose_, program_);
    for (const auto& option : options_) {
        const std::string left = fmt::format("  --{} {}", option.name, option.value_name);
        text += fmt::format("{:<26} {}{}\n", left, option.help,
                            option.default_text.empty() ? "" : fmt::format(" [{}]", option.default_text));
    }
    text += fmt::format("{:<26} {}\n", "  --help", "this text");
    return text;
}

bool ToolOptions::parse(const std::vector<std::string>& arguments) {
    namespace po = boost::program_options;
    const auto refuse = [this](const std::string& message) {
        throw Error(ExitCode::usage, fmt::format("{}; see {} --help", message, program_));
    };
    po::options_description known;
    known.add_options()("help", "");
    for (const auto& option : options_) {
        if (option.value_name.empty())
            known.add_options()(option.name.c_str(), "");
        else if (option.many)
            known.add_options()(option.name.c_str(), po::value<std::vector<std::string>>()->multitoken(), "");
        else
            known.add_options()(option.name.c_str(), po::value<std::string>(), "");
    }
    std::vector<po::option> words;
    try {
        using namespace po::command_line_style;
        const int style = allow_long | long_allow_adjacent | long_allow_next;    // no guessing of shortened names
        words = po::command_line_parser(arguments).options(known).style(style).run().options;
    } catch (const po::unknown_option& error) {
        std::string name = error.get_option_name();
        name.erase(0, name.find_first_not_of('-'));
        std::vector<std::string> names = {"help"};
        for (const auto& option : options_) names.push_back(option.name);
        refuse(fmt::format("{} has no option --{}{}", program_, name, did_you_mean(name, names, "--")));
    } catch (const po::error& error) {
        refuse(error.what());
    }
    if (std::any_of(words.begin(), words.end(), [](const auto& word) { return word.string_key == "help"; }))
        return false;
    for (const auto& word : words) {
        if (word.string_key.empty()) refuse(fmt::format("'{}' is not an option", fmt::join(word.original_tokens, " ")));
        auto& option =
            *std::find_if(options_.begin(), options_.end(), [&](const auto& o) { return o.name == word.string_key; });
        if (std::exchange(option.given, true)) refuse(fmt::format("--{} is given twice", option.name));
        try {
            option.set(word.value);
        } catch (const std::exception& error) {
            refuse(fmt::format("--{}: {}", option.name, error.what()));
        }
    }
    return true;
}

}    // namespace blip

// Finds options in the table, and the words of messages about them. Used by parse.cpp and help.cpp.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "src/options/nearest_word.h"
#include "src/options/option_table.h"

namespace blip {
std::string verb_name(Verb verb) {
    switch (verb) {
        case Verb::train:
            return "train";
        case Verb::evaluate:
            return "evaluate";
        case Verb::caption:
            return "caption";
        case Verb::export_weights:
            break;
    }
    return "export";
}

std::string verb_names(unsigned verbs) {
    std::vector<std::string> names;
    for (const Verb verb : all_verbs)
        if (verbs & verb_bit(verb)) names.push_back(verb_name(verb));
    return fmt::format("{}", fmt::join(names, " and "));
}

const OptionSpec* find_option(std::string_view name) {
    const auto& table = option_table();
    const auto found =
        std::find_if(table.begin(), table.end(), [name](const OptionSpec& spec) { return spec.name == name; });
    return found == table.end() ? nullptr : &*found;
}

const OptionSpec* similar_option(std::string_view name, std::optional<Verb> verb) {
    std::vector<std::string> names, of_verb;
    for (const OptionSpec& spec : option_table()) {
        names.push_back(spec.name);
        if (verb && spec.used_by(*verb)) of_verb.push_back(spec.name);
    }
    const OptionSpec* own = find_option(nearest_word(name, of_verb));
    return own != nullptr ? own : find_option(nearest_word(name, names));
}

ParsedCommandLine default_settings(const std::string& preset) {
    ParsedCommandLine defaults;
    defaults.options.model = model_preset(preset);
    defaults.options.loss.drop_path = preset_drop_path(preset);
    return defaults;
}

}    // namespace blip

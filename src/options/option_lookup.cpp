// Finds options in the table, and the words of messages about them. Used by parse.cpp and help.cpp.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

#include "option_table.h"

namespace blip {
namespace {

// Levenshtein distance of two short words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t substitute = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substitute});
        }
    }
    return row.back();
}

}    // namespace

std::string verb_name(Verb verb) {
    return verb == Verb::train ? "train" : verb == Verb::evaluate ? "evaluate" : "caption";
}

std::string verb_names(unsigned verbs) {
    std::vector<std::string> names;
    for (const Verb verb : {Verb::train, Verb::evaluate, Verb::caption})
        if (verbs & verb_bit(verb)) names.push_back(verb_name(verb));
    return fmt::format("{}", fmt::join(names, " and "));
}

const OptionSpec* find_option(std::string_view name) {
    const auto& table = option_table();
    const auto found =
        std::find_if(table.begin(), table.end(), [name](const OptionSpec& spec) { return spec.name == name; });
    return found == table.end() ? nullptr : &*found;
}

std::string similar_option(std::string_view name) {
    std::string best;
    std::size_t smallest = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const OptionSpec& spec : option_table()) {
        const std::size_t distance = edit_distance(name, spec.name);
        if (distance < smallest) {
            smallest = distance;
            best = spec.name;
        }
    }
    return best;
}

ParsedCommandLine default_settings(const std::string& preset) {
    ParsedCommandLine defaults;
    defaults.options.model = model_preset(preset);
    return defaults;
}

}    // namespace blip

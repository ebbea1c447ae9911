// The one table of options: what each is called, means, accepts and fills. parse, help, print_config and
// changed_options are all derived from it. Internal to the options layer.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "blip/options/parse.h"

namespace blip {

// Which verbs use an option.
enum Verbs : unsigned {
    for_train = 1,
    for_evaluate = 2,
    for_caption = 4,
    for_export = 8,
    for_data = for_train | for_evaluate,
    for_generating = for_evaluate | for_caption,
    for_computing = for_train | for_evaluate | for_caption,
    for_all = for_computing | for_export
};

inline constexpr Verb all_verbs[] = {Verb::train, Verb::evaluate, Verb::caption, Verb::export_weights};
inline unsigned verb_bit(Verb verb) { return 1U << static_cast<unsigned>(verb); }
// "train", "evaluate", "caption", "export"
std::string verb_name(Verb verb);
// "train", "train and evaluate", ...
std::string verb_names(unsigned verbs);

struct OptionSpec {
    std::string name;          // without the dashes
    std::string group;         // heading in the help
    std::string value_name;    // "N", "FILE", ...; empty: a switch
    std::string meaning;       // with unit
    std::string range;         // what is accepted, for the help; may be empty
    unsigned verbs = for_all;
    bool command_line_only = false;
    // text -> field; throws BadValue
    std::function<void(ParsedCommandLine&, std::string_view)> set;
    // field -> text that set() accepts; empty: nothing was given
    std::function<std::string(const ParsedCommandLine&)> get;

    bool is_switch() const { return value_name.empty(); }
    bool used_by(Verb verb) const { return (verbs & verb_bit(verb)) != 0; }
    bool shapes_model() const { return group == "Model"; }
};

const std::vector<OptionSpec>& option_table();
// nullptr if there is none
const OptionSpec* find_option(std::string_view name);
// Closest option for a mistyped name, nullptr if none is close. One of the verb's own goes first, if a verb is given.
const OptionSpec* similar_option(std::string_view name, std::optional<Verb> verb);
// The rules that tie options together.
struct Inconsistency {
    std::string message;                 // names both options and a value that would do
    std::vector<std::string> options;    // the names of those at odds
};
// flags: names of the options on the command line; one without effect is refused there, while a config file may serve
// several ways of running.
std::optional<Inconsistency> find_inconsistency(const Options& options, const std::set<std::string>& flags = {});
// The defaults of a run with this preset.
ParsedCommandLine default_settings(const std::string& preset);

}    // namespace blip

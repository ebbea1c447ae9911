// blip_mpi's verbs and its table of options, bound to the fields of one run. Internal to the options layer.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "blip/options/parse.h"
#include "blip/options/table.h"

namespace blip {

// Which verbs use an option.
enum Verbs : unsigned {
    for_train = 1,
    for_evaluate = 2,
    for_caption = 4,
    for_export = 8,
    for_score = 16,
    for_verify = 32,
    for_report = 64,
    for_status = 128,
    for_check = 256,
    for_data = for_train | for_evaluate,
    for_generating = for_evaluate | for_caption,
    for_computing = for_train | for_evaluate | for_caption,
    for_model = for_computing | for_export,
    for_all = for_model | for_score | for_verify | for_report | for_status | for_check
};
inline unsigned verb_bit(Verb verb) { return 1U << static_cast<unsigned>(verb); }

struct VerbText {
    Verb verb;
    const char* name;
    const char* summary;     // a line of the overview
    const char* purpose;     // first in the verb's help
    const char* usage;       // a command a line
    const char* examples;    // likewise
};
extern const VerbText verb_texts[9];
const VerbText& text_of(Verb verb);
// "train", "train and evaluate", ...
std::string verb_names(unsigned verbs);

// run outlives the table and stays where it is.
OptionTable declare_options(ParsedCommandLine& run);
// Its parts, in the order of the help.
void declare_running(OptionTable& table, ParsedCommandLine& run);
void declare_training(OptionTable& table, Options& options);
void declare_model(OptionTable& table, Options& options);
void declare_captions(OptionTable& table, Options& options);
void declare_export(OptionTable& table, Options& options);
void declare_score(OptionTable& table, Options& options);
void declare_machine(OptionTable& table, Options& options);

// The rules that tie options together.
struct Inconsistency {
    std::string message;                 // names both options and a value that would do
    std::vector<std::string> options;    // the names of those at odds
};
// flags: names of the options on the command line; one without effect is refused there, while a config file may serve
// several ways of running. shape_known: false while the model's shape is still to come from weights; rules about
// dimensions that were not asked for then wait.
std::optional<Inconsistency> find_inconsistency(const Options& options, const std::set<std::string>& flags,
                                                bool shape_known);
// The defaults of a run with this preset.
ParsedCommandLine default_settings(const std::string& preset);

}    // namespace blip

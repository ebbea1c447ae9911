// Command line and config file to Options. Each option is declared once, in src/options/declare; parsing, help,
// --print-config, what a checkpoint notes of the options and what all ranks must share all come from that table.
// Flags win over the config file, the config file over the preset's and the built-in defaults. Called by src/app.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "blip/options/model_shape.h"
#include "blip/options/options.h"

namespace blip {

struct ParsedCommandLine {
    Options options;
    bool help = false;        // print help_text and exit 0
    bool help_all = false;    // the same, with every option
    bool verb_named = false;
    // what of a repeated option or the reference's configuration file the user should know: for the start of the run,
    // one line each
    std::vector<std::string> notes;
};

// argv without the program's name. The verb comes first and may be left out: train, or evaluate with --evaluate. No
// word at all, or `help`, asks for help. Of an option that is given twice the last counts, so that a person's word wins
// over a job script's before it. Errors: usage, naming the offending word (in a config file: file and line): unknown
// (with the one that was probably meant), repeated in a file, without a value, out of range, of another verb, at odds
// with another option, missing; missing_input
// if there is no such config file. A config file describes a run, so that one file serves `train` and `--evaluate`: its
// options are all checked, those the verb does not use are then left aside. A config file that ends in .yaml or .yml is
// one of the reference's. Options needed to run (--data, --init,
// pictures) are not asked for where the program only prints (--help, --version, --print-config).
ParsedCommandLine parse_command_line(const std::vector<std::string>& arguments);

// The rules that tie options together (micro divides global batch, heads divide hidden, ...). parse_command_line has
// applied them; apply them again once the shape came from a checkpoint. Throws usage.
void check_consistency(const Options& options);
// Why a text is no prompt ("must be ..."), for --prompt and the values of --prompts; nullopt if it is one.
std::optional<std::string> prompt_problem(std::string_view prompt);
// With a space at its end, which people forget; an empty one stays empty.
std::string complete_prompt(std::string_view prompt);
// Where a checkpoint's shape differs from what the user set by name: "text-hidden: 128 was asked for, the weights have
// 48". Not its resolution: weights can be had at another.
std::vector<std::string> model_conflicts(const Options& options, const ModelOptions& found);

// What --help prints: the overview where no verb was named, else the verb's usage, examples and the options that people
// set, or with --help-all all of them; as wide as the terminal (COLUMNS), 60 to 100 columns.
std::string help_text(const ParsedCommandLine& command);
// "name = value" lines, a config file that gives the same options again. Model dimensions that the user did not set,
// and options without a value, are comments.
std::string print_config(const Options& options);
// name -> value of the verb's options that differ from the defaults (dimensions: from their preset's)
std::map<std::string, std::string> changed_options(const Options& options);
// The same without those that may differ between the ranks of a run.
std::map<std::string, std::string> changed_options_of_all_ranks(const Options& options);
// name -> value of training's options of which another value is another run, and of those of which it is told on
// resuming (Traits). Only for options that are filled in (auto, 0 and the model's shape).
struct NotedOptions {
    std::map<std::string, std::string> identity, other_bits, other_scores;
};
NotedOptions noted_options(const Options& options);
// The user set this option, or the preset, which sets all dimensions.
bool asks_for_dimension(const Options& options, const std::string& name);

}    // namespace blip

// Command line and config file to Options: the only user of Boost.Program_options. Each option is declared once, with its
// meaning, unit, default and range; flags win over the config file, the config file over the preset's and built-in defaults.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "blip/options/options.h"

namespace blip {

struct ParsedCommandLine {
    Options options;
    bool help = false;       // print help_text and exit 0
    bool version = false;
};

// argv without the program's name. The verb may be left out: train, or evaluate with --evaluate.
// Errors: usage; the offending word (and for a config file: the file) is named; unknown, repeated, out of range, missing.
ParsedCommandLine parse_command_line(const std::vector<std::string>& arguments);
// Grouped help of a verb.
std::string help_text(Verb verb);
// "name = value" lines, a config file that gives the same options again.
std::string print_config(const Options& options);
// name -> value of options that differ from the defaults
std::map<std::string, std::string> changed_options(const Options& options);
// Dimensions of a preset; throws usage for an unknown name.
ModelOptions model_preset(const std::string& name);

}    // namespace blip

// What the options of a program are, for programs. The man pages and the shells' completions are made of it
// (env/release/pages.py), so that they list what the program takes.
#pragma once

#include <string>

#include "blip/options/table.h"

namespace blip {

// A program whose only word is this prints the description, and ends. No help shows it.
inline constexpr const char* describe_option = "--describe-options";

// One JSON object: program, and of each verb name, summary, purpose, usage and examples (a command a line) and options:
// name, value (empty: a switch; "a|b": one of these), default, range, group, meaning, and often: the short help has it.
std::string describe_verbs();
// The same of a small program, whose only verb has no name. purpose: what it is for.
std::string describe_program(const std::string& program, const std::string& purpose, const OptionTable& table);

}    // namespace blip

// Words of a command line as options and values: the only user of Boost.Program_options. Internal to the options layer.
#pragma once

#include <string>
#include <vector>

#include "blip/options/table.h"

namespace blip {

struct Given {
    const OptionSpec* spec = nullptr;
    std::string value;
    std::string where;    // for messages: "--epochs" or "run.cfg:12: epochs"
    bool from_config = false;
};

struct Words {
    std::vector<Given> flags;          // each option once: the last counts
    std::vector<std::string> loose;    // neither options nor their values
    std::vector<std::string> notes;    // which options were given more than once, with several values
};

// Names are checked, values are not. verb: whose options go first where names are alike. Throws usage.
Words split_words(const OptionTable& table, const std::vector<std::string>& words, unsigned verb = ~0U);
// Sets the option's field; throws usage, with where, if the value is not accepted.
void apply(const Given& given);

}    // namespace blip

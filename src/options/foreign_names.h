// Names that people bring from other programs, answered with ours in messages. Internal to the options layer.
#pragma once

#include <string>
#include <string_view>

#include "blip/options/table.h"

namespace blip {

// "here it is --init-lr: learning rate of the first epoch", or why there is none; empty for a name that is not
// in the list. Only of options that the table has; the verb's own go first.
std::string foreign_name(const OptionTable& table, std::string_view name, const char* dashes, unsigned verb);

}    // namespace blip

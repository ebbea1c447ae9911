// What was probably meant by a word that is not known; for messages. Internal to the options layer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blip/options/table.h"

namespace blip {

// "; did you mean X?", or nothing where none of known is near. prefix: stands before X, such as "--".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known, const char* prefix = "");
// Of a name that people bring from other programs: "here it is --init-lr: learning rate of the first epoch", or why
// there is none; empty for a name that is not in the list. Only of options that the table has; the verb's own go first.
std::string foreign_name(const OptionTable& table, std::string_view name, const char* dashes, unsigned verb);
// For a name that is no option, what to use instead: what people know it as from other programs ("; here it is
// --global-batch: ..."), or the one that was probably meant ("; did you mean --epochs?"); nothing if none is near.
std::string suggestion(const OptionTable& table, std::string_view name, const char* dashes, unsigned verb = ~0U);

}    // namespace blip

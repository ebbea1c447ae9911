// The vocabulary and the prompt that weights were trained with. Used by the verbs that caption, and by export.
#pragma once

#include <filesystem>
#include <string>

#include "blip/text/wordpiece.h"

namespace blip {

// That beside the weights, else the program's own: installed in share/, or in the source tree it was built in. init may
// be empty. Throws missing_input, and bad_data if the weights note the digest of another.
Vocabulary read_vocabulary(const std::filesystem::path& init);

// Warns where captions are to begin with the usual prompt, and the weights note that they were trained with another.
void warn_of_other_prompt(const std::filesystem::path& init, const std::string& prompt);

}    // namespace blip

// Where the vocabulary of weights is. Used by the verbs that have no packed data set.
#pragma once

#include <filesystem>

#include "blip/text/wordpiece.h"

namespace blip {

// That beside the weights, else the program's own: installed in share/, or in the source tree it was built in. init may
// be empty. Throws missing_input, and bad_data if the weights note the digest of another.
Vocabulary read_vocabulary(const std::filesystem::path& init);

}    // namespace blip

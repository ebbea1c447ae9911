// Words of a caption as METEOR's -norm sees them. Internal to the metrics layer.
#pragma once

#include <string>
#include <vector>

#include "blip/metrics/caption_scores.h"

namespace blip {

// Lower-cased and split again: punctuation apart, "close-up" as two words, "u.s." as "us", a no-break space separates.
std::vector<std::string> meteor_words(const Tokens& tokens);

}    // namespace blip

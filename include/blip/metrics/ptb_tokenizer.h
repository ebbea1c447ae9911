// PTB-style tokens of a caption for the COCO metrics: lower case, the evaluation's punctuation list dropped.
// Called by coco_eval before any metric.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace blip {

// Tokens of one caption (valid UTF-8). Tokens may hold a no-break space (metrics split on it or not, as the oracle's
// do). next_caption: what the oracle would read after it; its first word decides whether "vitamin A." ends a sentence.
// The default is how most captions begin. Time is linear in the caption's length.
std::vector<std::string> ptb_tokenize(std::string_view caption, std::string_view next_caption = "A");

}    // namespace blip

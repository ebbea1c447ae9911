// The known word that a mistyped one was probably meant to be; for messages. Internal to the options layer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace blip {

// The closest of known, empty if none is close: they begin with the same letter and at most two letters differ, or one
// of the words begins with the other ("train2014"). --batch-size is not --patch-size, gpu not cpu.
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);
// "; did you mean X?", or nothing. prefix: stands before X, such as "--".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known, const char* prefix = "");

}    // namespace blip

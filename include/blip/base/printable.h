// Text from files (captions, names, words of a vocabulary) made fit for a terminal and a log: nothing in it can move
// the cursor, hide, or pass for another line. Used wherever such text is printed or logged; Error and log.h do it by
// themselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace blip {

// What becomes of line ends: they stay; stay where the next line begins with a blank (so that none passes for a log
// line of its own); or are escaped like other control characters.
enum class LineEnds { stay, indented, escaped };

// Control characters (C0 but the tab, DEL, C1) and those that reorder text (U+202A..202E, U+2066..2069) or end lines
// (U+2028, U+2029) as \u001b, bytes that are no UTF-8 as \xff. JSON stays JSON of the same value, if it was valid.
std::string printable(std::string_view text, LineEnds line_ends);
inline std::string printable_line(std::string_view text) { return printable(text, LineEnds::escaped); }
// As Error and the log make every message; of a part of one, what stands in it.
inline std::string printable_message(std::string_view text) { return printable(text, LineEnds::indented); }

// A foreign name for a message: the same of its first 100 bytes.
std::string printable(std::string_view name);
// "1 rank", "3 ranks"
std::string counted(std::int64_t count, std::string_view noun);
// "a, b and 5 more": the first twenty
std::string some_of(const std::vector<std::string>& names);

}    // namespace blip

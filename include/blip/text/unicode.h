// Unicode: code points, Python's white space, lower case. Used by caption_text, wordpiece and metrics/counted_captions.
#pragma once

#include <unicode/utf8.h>

#include <string>
#include <string_view>

namespace blip {

using CodePoints = std::u32string;

// text must be valid UTF-8.
CodePoints to_code_points(std::string_view text);
void append_utf8(char32_t c, std::string& text);
std::string to_utf8(std::u32string_view text);

// What Python's str.isspace, str.split and the \s of its re module call white space.
bool is_python_space(char32_t c);
// Full lower-casing without a language, as Python's str.lower: U+0130 becomes two characters, a capital sigma at the
// end of a word the final one.
std::string lower_case(std::string_view text);
bool is_ascii(std::string_view text);
// Throws bad_data naming the byte.
void require_utf8(std::string_view text);

}    // namespace blip

// Unicode: code points, Python's white space, categories, lower case. Used by caption_text, wordpiece and metrics.
// All decisions are those of Unicode 14.0, the oldest that a supported ICU (70) knows and that of Python 3.11, so that
// tokens and data digests do not depend on the machine's ICU: a later character is unassigned.
#pragma once

#include <unicode/utf8.h>

#include <string>
#include <string_view>

namespace blip {

using CodePoints = std::u32string;

// What is not UTF-8 becomes U+FFFD.
CodePoints to_code_points(std::string_view text);
void append_utf8(char32_t c, std::string& text);
std::string to_utf8(std::u32string_view text);

// What Python's str.isspace, str.split and the \s of its re module call white space.
bool is_python_space(char32_t c);
// The general category as one of ICU's U_GC_..._MASK bits.
std::uint32_t category_mask(char32_t c);
// Full lower-casing without a language, as Python's str.lower: U+0130 becomes two characters, a capital sigma at the
// end of a word the final one.
std::string lower_case(std::string_view text);
// Unicode's canonical forms, NFC and NFD. text: valid UTF-8.
std::string canonical(std::string_view text, bool composed);
// Lower case, canonical decomposition, combining marks dropped: BERT's uncased letters. word: no unassigned characters.
CodePoints fold(std::u32string_view word);
bool is_ascii(std::string_view text);
// Throws bad_data naming the byte.
void require_utf8(std::string_view text);

}    // namespace blip

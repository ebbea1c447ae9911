// From a human caption to the decoder's input and back (reference BLIP: pre_caption, prompt, [DEC], decode).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blip/text/wordpiece.h"

namespace blip {

inline constexpr std::string_view default_prompt = "a picture of ";    // with its trailing space
inline constexpr int default_max_words = 30;

// Clean-up of a raw caption: lower case, listed punctuation to spaces, white space squeezed, first max_words words.
// Throws bad_data on invalid UTF-8.
std::string pre_caption(std::string_view raw, int max_words = default_max_words);

// Decoder input of a training caption: [DEC] prompt words ... [SEP], at most max_caption_tokens.
std::vector<TokenId> caption_tokens(const WordPieceTokenizer& tokenizer, std::string_view raw,
                                    std::string_view prompt = default_prompt);
// [DEC] + prompt tokens, without [SEP], however many: what generation starts from. 4 ids for the default prompt, [DEC]
// alone for an empty one.
std::vector<TokenId> prompt_tokens(const WordPieceTokenizer& tokenizer, std::string_view prompt = default_prompt);
// Text of a generated sequence without its prompt's tokens. (The reference cuts as many characters as the prompt has:
// the same for its own prompt, not for "x-ray of ", which comes back as "x - ray of ".)
std::string decode_caption(const WordPieceTokenizer& tokenizer, const std::vector<TokenId>& ids,
                           std::string_view prompt = default_prompt);
// What is wrong with a file's text, and how to change it, where it is not UTF-8: "is UTF-16 ...", "line 3, column 5:
// ...". "" for UTF-8.
std::string describe_encoding(std::string_view text);
bool is_utf16(std::string_view text);
// "line 3, column 5" of a byte of a text, or of its end.
std::string line_and_column(std::string_view text, std::size_t offset);
// Offset of the first byte that is not valid UTF-8, or npos.
std::size_t find_invalid_utf8(std::string_view text);

}    // namespace blip

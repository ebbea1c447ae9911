// Tokens of one caption for the COCO metrics. Called by coco_eval.
#include "blip/metrics/ptb_tokenizer.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <array>

#include "blip/text/unicode.h"
#include "src/metrics/ptb/lexer.h"

namespace blip {
namespace {

// The evaluation's list. Its bracket names are upper case and so never match the lower-cased tokens.
bool is_dropped(std::u32string_view token) {
    static constexpr std::array<std::u32string_view, 13> dropped{U"''", U"'", U"``", U"`",  U".",   U"?", U"!",
                                                                 U",",  U":", U"-",  U"--", U"...", U";"};
    return token.size() <= 3 && std::find(dropped.begin(), dropped.end(), token) != dropped.end();
}

// Appends; what is not UTF-8 becomes U+FFFD, which is no token.
void decode(std::string_view text, std::u32string& result) {
    constexpr std::size_t piece_bytes = std::size_t{1} << 30;    // ICU counts in 32 bits
    for (std::size_t begin = 0; begin < text.size();) {
        const auto size = static_cast<std::int32_t>(std::min(piece_bytes, text.size() - begin));
        const std::string_view piece = text.substr(begin, static_cast<std::size_t>(size));
        std::int32_t at = 0;
        // (a character cut at the end of a piece is left to the next one)
        while (at < size && (size - at >= 4 || begin + piece.size() == text.size())) {
            UChar32 c = 0;
            U8_NEXT_OR_FFFD(piece.data(), at, size, c);
            result.push_back(static_cast<char32_t>(c));
        }
        begin += static_cast<std::size_t>(at);
    }
}

std::string lower_utf8(std::u32string_view token) {
    if (std::any_of(token.begin(), token.end(), [](char32_t c) { return c > 0x7F; })) return lower_case(to_utf8(token));
    std::string result;
    for (const char32_t c : token) result.push_back(static_cast<char>(lower_ascii(c)));
    return result;
}

}    // namespace

std::vector<std::string> ptb_tokenize(std::string_view caption, std::string_view next_caption) {
    constexpr std::size_t context_bytes = 64;    // enough for the first word
    std::u32string text;
    text.reserve(caption.size() + context_bytes + 1);
    decode(caption, text);
    const std::size_t length = text.size();
    text += U'\n';
    decode(next_caption.substr(0, context_bytes), text);
    std::vector<std::string> result;
    result.reserve(std::min<std::size_t>(caption.size() / 4, 64));    // English has more than four characters a word
    PtbLexer(text, length).scan([&](std::u32string_view token) {
        if (!is_dropped(token)) result.push_back(lower_utf8(token));
    });
    return result;
}

}    // namespace blip

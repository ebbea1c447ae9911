// Tokens of one caption for the COCO metrics. Called by coco_eval.
#include "blip/metrics/ptb_tokenizer.h"

#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>

#include "ptb_lexer.h"

namespace blip {
namespace {

// The evaluation's list. Its bracket names are upper case and so never match the lower-cased tokens.
bool is_dropped(const std::u32string& token) {
    static constexpr std::array<std::u32string_view, 13> dropped{U"''", U"'", U"``", U"`",  U".",   U"?", U"!",
                                                                 U",",  U":", U"-",  U"--", U"...", U";"};
    return std::find(dropped.begin(), dropped.end(), token) != dropped.end();
}

std::u32string decode(std::string_view text) {
    const icu::UnicodeString wide =
        icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
    std::u32string result;
    result.reserve(text.size());
    for (std::int32_t at = 0; at < wide.length(); at = wide.moveIndex32(at, 1)) {
        result.push_back(static_cast<char32_t>(wide.char32At(at)));
    }
    return result;
}

std::string lower_utf8(const std::u32string& token) {
    std::string result;
    if (std::all_of(token.begin(), token.end(), [](char32_t c) { return c < 0x80; })) {
        for (const char32_t c : token) result.push_back(static_cast<char>(c >= U'A' && c <= U'Z' ? c + 32 : c));
        return result;
    }
    icu::UnicodeString wide;
    for (const char32_t c : token) wide.append(static_cast<UChar32>(c));
    wide.toLower(icu::Locale::getRoot()).toUTF8String(result);
    return result;
}

}    // namespace

std::vector<std::string> ptb_tokenize(std::string_view caption, std::string_view next_caption) {
    std::u32string text = decode(caption);
    const std::size_t length = text.size();
    constexpr std::size_t context_bytes = 64;    // enough for the first word
    text += U'\n';
    text += decode(next_caption.substr(0, context_bytes));
    std::vector<std::string> result;
    for (const std::u32string& token : PtbLexer(text, length).tokens()) {
        if (!is_dropped(token)) result.push_back(lower_utf8(token));
    }
    return result;
}

}    // namespace blip

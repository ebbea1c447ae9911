// Tokens of one caption for the COCO metrics. Called by coco_eval.
#include "blip/metrics/ptb_tokenizer.h"

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

}    // namespace

std::vector<std::string> ptb_tokenize(std::string_view caption, std::string_view next_caption) {
    constexpr std::size_t context_bytes = 64;         // enough for the first word
    std::u32string text = to_code_points(caption);    // what is not UTF-8 becomes U+FFFD, which is no token
    const std::size_t length = text.size();
    text += U'\n' + to_code_points(next_caption.substr(0, context_bytes));
    std::vector<std::string> result;
    result.reserve(std::min<std::size_t>(caption.size() / 4, 64));    // English has more than four characters a word
    PtbLexer(text, length).scan([&](std::u32string_view token) {
        if (!is_dropped(token)) result.push_back(lower_case(to_utf8(token)));
    });
    return result;
}

}    // namespace blip

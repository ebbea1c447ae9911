// Captions to decoder input and back (reference BLIP: data/utils.py pre_caption, models/blip.py).
#include "blip/text/caption_text.h"

#include <limits>

#include "blip/text/unicode.h"

namespace blip {
namespace {

// Punctuation that becomes a space.
bool is_dropped(char32_t c) {
    constexpr std::u32string_view dropped = U".!\"()*#:;~";
    return dropped.find(c) != std::u32string_view::npos;
}

// Listed punctuation to spaces; then runs of two or more white space characters become one space. A single tab stays.
CodePoints squeeze(const CodePoints& text) {
    CodePoints result;
    result.reserve(text.size());
    std::size_t run = 0;    // white space characters at the end of result that belong to the current run
    for (char32_t c : text) {
        if (is_dropped(c)) c = U' ';
        if (!is_python_space(c)) {
            run = 0;
            result.push_back(c);
        } else if (run++ == 0) {
            result.push_back(c);
        } else {
            result.back() = U' ';
        }
    }
    return result;
}

}    // namespace

std::string pre_caption(std::string_view raw, int max_words) {
    require_utf8(raw);
    const CodePoints squeezed = squeeze(to_code_points(lower_case(raw)));
    std::u32string_view text = squeezed;
    while (!text.empty() && text.back() == U'\n') text.remove_suffix(1);
    while (!text.empty() && text.back() == U' ') text.remove_suffix(1);
    while (!text.empty() && text.front() == U' ') text.remove_prefix(1);
    // the first max_words words; only U+0020 separates words here
    std::size_t end = 0;
    for (int words = 0; words < max_words; ++words) {
        end = text.find(U' ', end);
        if (end == std::u32string_view::npos) return to_utf8(text);
        ++end;
    }
    return to_utf8(text.substr(0, end == 0 ? 0 : end - 1));
}

std::vector<TokenId> caption_tokens(const WordPieceTokenizer& tokenizer, std::string_view raw,
                                    std::string_view prompt) {
    std::vector<TokenId> ids = tokenizer.encode(std::string(prompt) + pre_caption(raw));
    ids.front() = SpecialTokens::dec;
    return ids;
}

std::vector<TokenId> prompt_tokens(const WordPieceTokenizer& tokenizer, std::string_view prompt) {
    std::vector<TokenId> ids = tokenizer.encode(prompt, std::numeric_limits<int>::max());
    ids.front() = SpecialTokens::dec;
    ids.pop_back();
    return ids;
}

std::string decode_caption(const WordPieceTokenizer& tokenizer, const std::vector<TokenId>& ids,
                           std::string_view prompt) {
    const CodePoints text = to_code_points(tokenizer.decode(ids));
    // As its tokens come back, with the space behind: "x-ray of " is "x - ray of " in text.
    const CodePoints before = to_code_points(tokenizer.decode(prompt_tokens(tokenizer, prompt)));
    const std::size_t cut = std::min(before.empty() ? 0 : before.size() + 1, text.size());
    return to_utf8(std::u32string_view(text).substr(cut));
}

}    // namespace blip

// The scanner's rules for contractions and other words with an apostrophe. Called by PtbLexer::tokens.
#include <algorithm>
#include <array>
#include <utility>

#include "ptb_lexer.h"

namespace blip {

// Words that fall into two tokens: do n't, can not, gon na, y' all.
PtbLexer::Match PtbLexer::contraction(std::size_t i) const {
    if (!word_at(i)) return {};
    const std::size_t end = words_end(i);
    const auto part = [&](std::size_t begin, std::size_t stop) {
        return std::u32string(text_.substr(begin, stop - begin));
    };
    struct Pair {
        std::u32string_view word;
        std::size_t first;
    };
    static constexpr std::array pairs{Pair{U"cannot", 3}, Pair{U"gonna", 3}, Pair{U"gotta", 3},
                                      Pair{U"wanna", 3},  Pair{U"gimme", 3}, Pair{U"lemme", 3}};
    for (const auto& [word, first] : pairs) {
        const bool owns = apostrophe_at(end) && is_one_of(at(end + 1) | 0x20, U"sdmlrv");    // cannot's stays
        if (end - i == word.size() && !owns && starts_with(i, word)) {
            return {end - i, {part(i, i + first), part(i + first, end)}};
        }
    }
    // d' l' j' y' stand apart from what follows; other rules take the common words whole
    if (end == i + 1 && apostrophe_at(end) && word_at(end + 1) && is_one_of(at(i), U"dDlLjJy"))
        return whole(i, end + 1);
    // the part before n't; the scanner comes by again for n't itself
    const std::size_t latin = latin_end(i);
    if (apostrophe_at(latin) && (at(latin + 1) | 0x20) == U't' && latin >= i + 2 && (at(latin - 1) | 0x20) == U'n' &&
        (at(latin - 2) | 0x20) != U'n') {
        return {latin - 1 - i, {part(i, latin - 1)}, 3};
    }
    return {};
}

// Words with an apostrophe inside or at the end that stay whole: o'clock, ma'am, O'Brien, ol', cap'n; and n't.
PtbLexer::Match PtbLexer::apostrophe_word(std::size_t i) const {
    const std::size_t end = letters_end(i);
    if (end == i || !apostrophe_at(end)) return {};
    const std::size_t after = letters_end(end + 1);
    if (starts_with(i, U"n't") && after == i + 3) return {3, {U"n't"}};
    for (const std::u32string_view word : {U"cap'n", U"c'mon", U"e'er", U"s'mores", U"ne'er", U"o'er"}) {
        if (starts_with(i, word)) return whole(i, i + word.size());
    }
    if (end == i + 2 && starts_with(i, U"ol'")) return whole(i, end + 1);
    const bool one_letter = end == i + 1 && after >= end + 3;
    if (one_letter && (is_one_of(at(i), U"dlno") || (at(i) <= U'Z' && !is_one_of(at(i), U"IY"))))
        return whole(i, after);
    const bool vowels = end > i + 1 && is_one_of(at(end - 1), U"aeiouyAEIOUY") && after > end + 1 &&
                        (is_one_of(at(end + 1), U"aeiou") || at(end + 1) <= U'Z');
    if (!vowels) return {};
    // not where a contraction ends the word: THEY'D, YOU'LL
    for (const std::u32string_view suffix : {U"'s", U"'d", U"'m", U"'ll", U"'re", U"'ve"}) {
        if (starts_with(end, suffix) && after == end + suffix.size()) return {};
    }
    return whole(i, after);
}

// 's 'll n't 'em '80s; a lone apostrophe is a quote
PtbLexer::Match PtbLexer::apostrophe(std::size_t i) const {
    if (!apostrophe_at(i)) return {};
    const auto ascii = [&](std::size_t end) {
        std::u32string token(text_.substr(i, end - i));
        if (token[0] == U'\u2019') token[0] = U'\'';
        return Match{end - i, {std::move(token)}};
    };
    for (const std::u32string_view suffix : {U"'ll", U"'re", U"'ve", U"'s", U"'d", U"'m"}) {
        // (the curly one is taken even where a letter follows)
        if (starts_with(i, suffix) && (at(i) != U'\'' || !latin_at(i + suffix.size()))) return ascii(i + suffix.size());
    }
    if (starts_with(i, U"'tis") || starts_with(i, U"'twas")) return ascii(i + 2);
    for (const std::u32string_view word : {U"'till", U"'til", U"'em", U"'cause", U"'n'"}) {
        if (starts_with(i, word)) return whole(i, i + word.size());
    }
    if (starts_with(i, U"'n") && !word_at(i + 2)) return whole(i, i + 2);
    if (digit_at(i + 1) && at(i + 2) == U'0' && (at(i + 3) | 0x20) == U's') return whole(i, i + 4);
    if (digit_at(i + 1) && digit_at(i + 2) && space_end(i + 3) > i + 3) return whole(i, i + 3);
    return {1, {U"'"}};
}

}    // namespace blip

// The scanner's rules for contractions and other words with an apostrophe. Called by PtbLexer::best_match.
#include <array>

#include "src/metrics/ptb/lexer.h"

namespace blip {

bool PtbLexer::inner_apostrophe_at(std::size_t i) const { return is_one_of(at(i), U"'`\u2018\u2019\u201b"); }

// Length of 's 'd 'm 'll 're 've at i, 0 if there is none.
std::size_t PtbLexer::contraction_size(std::size_t i) const {
    if (!apostrophe_at(i)) return 0;
    for (const std::u32string_view suffix : {U"'s", U"'d", U"'m", U"'ll", U"'re", U"'ve"}) {
        if (starts_with(i, suffix)) return suffix.size();
    }
    return 0;
}

bool PtbLexer::ends_in_contraction(std::size_t i) const {
    const std::size_t size = contraction_size(i);
    return size > 0 && !word_at(i + size);
}

// A word whose rule looks whether 's or its kin follow.
PtbLexer::Match PtbLexer::before_contraction(std::size_t begin, std::size_t end) const {
    return end > begin ? Match{end - begin, contraction_size(end)} : Match{};
}

// Words that fall into two tokens: do n't, can not, gon na, y' all.
PtbLexer::Match PtbLexer::contraction(std::size_t i) const {
    if (!word_at(i)) return {};
    const std::size_t end = words_end(i);
    struct Pair {
        std::u32string_view word;
        std::size_t first;
    };
    static constexpr std::array pairs{Pair{U"cannot", 3}, Pair{U"gonna", 3}, Pair{U"gotta", 3},
                                      Pair{U"wanna", 3},  Pair{U"gimme", 3}, Pair{U"lemme", 3}};
    for (const auto& [word, first] : pairs) {
        if (end - i != word.size() || lower_ascii(at(i)) != word[0]) continue;
        if (contraction_size(end) == 0 && starts_with(i, word)) return {end - i, 0, first};    // cannot's stays
    }
    // d' l' j' y' stand apart from what follows; other rules take the common words whole
    const bool elision = is_one_of(lower_ascii(at(i)), U"dlj") || (lower_ascii(at(i)) == U'y' && word_at(end + 1));
    if (end == i + 1 && apostrophe_at(end) && elision) return whole(i, end + 1);
    // the part before n't; the scanner comes by again for n't itself
    const std::size_t latin = latin_end(i);
    if (inner_apostrophe_at(latin) && (at(latin + 1) | 0x20) == U't' && latin >= i + 2 &&
        (at(latin - 1) | 0x20) == U'n' && (at(latin - 2) | 0x20) != U'n') {
        return {latin - 1 - i, 3};
    }
    return {};
}

// o'clock, d'oeuvre, o'80s, O'Brien: the end of one letter, an apostrophe and two characters or more; i if there is
// none.
std::size_t PtbLexer::elided_end(std::size_t i) const {
    if (!letter_at(i) || !inner_apostrophe_at(i + 1) || ends_in_contraction(i + 1)) return i;
    const bool capital = at(i) >= U'A' && at(i) <= U'Z' && at(i) != U'I' && at(i) != U'Y';
    std::size_t end = i;
    if (is_one_of(lower_ascii(at(i)), U"dlo"))
        end = words_end(i + 2);
    else if (at(i) == U'n' || capital)
        end = letters_end(i + 2);
    return end >= i + 4 ? end : i;
}

// Words with an apostrophe inside or at the end that stay whole: o'clock, ma'am, O'Brien, ol', cap'n; and n't.
PtbLexer::Match PtbLexer::apostrophe_word(std::size_t i) const {
    const std::size_t end = letters_end(i);
    if (end == i || !inner_apostrophe_at(end)) return {};
    const std::size_t after = letters_end(end + 1);
    if (end == i + 1 && after == i + 3 && (at(i) | 0x20) == U'n' && (at(end + 1) | 0x20) == U't')
        return {3, 0, 0, Spelling::quoted};
    for (const std::u32string_view word :
         {U"cap'n", U"c'mon", U"e'er", U"s'mores", U"ne'er", U"o'er", U"dunkin'", U"somethin'"}) {
        if (starts_with(i, word) && (word != U"s'mores" || at(end) == U'\'')) return whole(i, i + word.size());
    }
    if (end == i + 2 && starts_with(i, U"ol'")) return whole(i, end + 1);
    if (elided_end(i) > i) return whole(i, elided_end(i));
    const auto capital_at = [&](std::size_t k) { return at(k) >= U'A' && at(k) <= U'Z'; };
    const bool vowels = end > i + 1 && is_one_of(lower_ascii(at(end - 1)), U"aeiouy") && after > end + 1 &&
                        (is_one_of(at(end + 1), U"aeiou") || capital_at(end + 1));
    return vowels && !ends_in_contraction(end) ? whole(i, after) : Match{};    // not THEY'D, YOU'LL
}

// 's 'll n't 'em '80s; a lone apostrophe is a quote
PtbLexer::Match PtbLexer::apostrophe(std::size_t i) const {
    if (!apostrophe_at(i)) return {};
    const bool straight = at(i) == U'\'';
    if (straight && at(i + 1) == U'\'') return whole(i, i + 2);
    for (const std::u32string_view suffix : {U"'ll", U"'re", U"'ve", U"'s", U"'d", U"'m"}) {
        // (the curly one is taken even where a letter follows)
        if (starts_with(i, suffix) && !(straight && latin_at(i + suffix.size())))
            return {suffix.size(), 0, 0, Spelling::quoted};
    }
    if (straight && (starts_with(i, U"'tis") || starts_with(i, U"'twas"))) return whole(i, i + 2);
    for (const std::u32string_view word : {U"'till", U"'til", U"'em", U"'cause", U"'n'"}) {
        if (starts_with(i, word)) return whole(i, i + word.size());
    }
    const bool closed = i + 2 >= text_.size() || is_one_of(at(i + 2), U" \t\n\u00a0");
    if (starts_with(i, U"'n") && (!straight || closed)) return whole(i, i + 2);
    if (digit_at(i + 1) && at(i + 1) >= U'2' && at(i + 2) == U'0' && (at(i + 3) | 0x20) == U's') return whole(i, i + 4);
    if (digit_at(i + 1) && digit_at(i + 2) && space_end(i + 3) > i + 3) return whole(i, i + 3);
    return {1, 0, 0, Spelling::literal, U"'"};
}

}    // namespace blip

// The scanner's rules for numbers, fractions, telephone numbers and money. Called by PtbLexer::tokens.
#include <algorithm>
#include <utility>

#include "ptb_lexer.h"

namespace blip {

// 1,000.50  -5  .5  10:30
PtbLexer::Match PtbLexer::number(std::size_t i) const {
    const std::size_t begin = at(i) == U'+' || at(i) == U'-' ? i + 1 : i;
    std::size_t end = digits_end(begin);
    while (is_one_of(at(end), U".,:") && digit_at(end + 1)) end = digits_end(end + 1);
    return end > begin ? whole(i, end) : Match{};
}

// "1 1/2" is one token with a no-break space inside; dates like 12/25/2013 are words with slashes.
PtbLexer::Match PtbLexer::fraction(std::size_t i) const {
    const std::size_t units = digits_end(i);
    if (units == i || units > i + 4) return {};
    if (at(units) != U' ' && at(units) != U'-' && at(units) != 0xa0) return {};
    const std::size_t slash = digits_end(units + 1);
    const std::size_t end = digits_end(slash + 1);
    if (slash == units + 1 || slash > units + 5 || at(slash) != U'/' || end == slash + 1 || end > slash + 5) return {};
    std::u32string token(text_.substr(i, end - i));
    if (token[units - i] == U' ') token[units - i] = 0xa0;
    return {end - i, {token}};
}

// (555) 123-4567, 800-555-1234: an area in brackets or up to two groups, then three or four digits and three to five; a
// space between them becomes a no-break space. Returns the end of the longest such number, begin if there is none.
std::size_t PtbLexer::phone_end(std::size_t begin, int areas) const {
    const auto after_separator = [&](std::size_t i) { return is_one_of(at(i), U" -\u00a0") ? i + 1 : i; };
    const auto digits = [&](std::size_t from, std::size_t most) {
        std::size_t end = from;
        while (end < from + most && digit_at(end)) ++end;
        return end;
    };
    std::size_t best = begin;
    for (std::size_t first = digits(begin, 4); first >= begin + 2; --first) {
        const std::size_t next = after_separator(first);
        const std::size_t end = digits(next, 5);
        if (first >= begin + 3 && end >= next + 3) best = std::max(best, end);
        if (areas > 0) {
            const std::size_t longer = phone_end(next, areas - 1);
            if (longer > next) best = std::max(best, longer);
        }
    }
    if (areas > 0 && at(begin) == U'(') {
        const std::size_t close = digits(begin + 1, 3);
        const std::size_t next = after_separator(close + 1);
        if (close >= begin + 3 && at(close) == U')') best = std::max(best, std::max(begin, phone_end(next, 0)));
        if (best == next) best = begin;
    }
    return best;
}

PtbLexer::Match PtbLexer::phone(std::size_t i) const {
    const std::size_t end = phone_end(i, 2);
    if (end == i) return {};
    std::u32string token;
    for (const char32_t c : text_.substr(i, end - i)) {
        token += c == U' '   ? std::u32string(1, U'\u00a0')
                 : c == U'(' ? U"-lrb-"
                 : c == U')' ? U"-rrb-"
                             : std::u32string(1, c);
    }
    return {end - i, {std::move(token)}};
}

// US$, C$; the sign alone is a symbol
PtbLexer::Match PtbLexer::money(std::size_t i) const {
    std::size_t end = i;
    while (at(end) >= U'A' && at(end) <= U'Z') ++end;
    return end > i && at(end) == U'$' ? whole(i, end + 1) : Match{};
}

}    // namespace blip

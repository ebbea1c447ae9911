// The scanner's rules for numbers, fractions, telephone numbers and money. Called by PtbLexer::tokens.
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

// (555) 123-4567, 555-123-4567
PtbLexer::Match PtbLexer::phone(std::size_t i) const {
    const bool bracket = at(i) == U'(';
    const std::size_t begin = bracket ? i + 1 : i;
    std::size_t end = digits_end(begin);
    if (end < begin + 2 || end > begin + (bracket ? 3 : 4)) return {};
    std::u32string token = bracket ? U"-lrb-" : U"";
    token += text_.substr(begin, end - begin);
    if (bracket) {
        if (at(end) != U')') return {};
        token += U"-rrb-";
        ++end;
    }
    const auto separated = [&](std::size_t least, std::size_t most, bool optional) {
        std::size_t from = end;
        if (is_one_of(at(from), U" -.") || at(from) == 0xa0) ++from;
        else if (!optional) return false;
        const std::size_t to = digits_end(from);
        if (to < from + least || to > from + most) return false;
        if (from > end) token += at(end) == U' ' ? U'\u00a0' : at(end);
        token += text_.substr(from, to - from);
        end = to;
        return true;
    };
    if (!separated(3, 4, bracket) || !separated(3, 5, false)) return {};
    return {end - i, {token}};
}

// US$, C$; the sign alone is a symbol
PtbLexer::Match PtbLexer::money(std::size_t i) const {
    std::size_t end = i;
    while (at(end) >= U'A' && at(end) <= U'Z') ++end;
    return end > i && at(end) == U'$' ? whole(i, end + 1) : Match{};
}

}    // namespace blip

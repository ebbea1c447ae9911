// The scanner's rules for numbers, fractions, telephone numbers and money. Called by PtbLexer::best_match.
#include <algorithm>

#include "src/metrics/ptb/lexer.h"

namespace blip {
namespace {

constexpr std::u32string_view phone_separators = U" -\u00a0";

}    // namespace

// 1,000.50  -5  .5  10:30
PtbLexer::Match PtbLexer::number(std::size_t i) const {
    const std::size_t begin = at(i) == U'+' || at(i) == U'-' ? i + 1 : i;
    std::size_t end = digits_end(begin);
    while (is_one_of(at(end), U".,:") && digit_at(end + 1)) end = digits_end(end + 1);
    return end > begin ? whole(i, end) : Match{};
}

// 12/25-2013, 12-25/13: day, month and year however they are joined
PtbLexer::Match PtbLexer::date(std::size_t i) const {
    const auto group = [&](std::size_t begin, std::size_t most) { return std::min(digits_end(begin), begin + most); };
    const std::size_t first = group(i, 2);
    if (first == i || !is_one_of(at(first), U"-/")) return {};
    const std::size_t second = group(first + 1, 2);
    if (second == first + 1 || !is_one_of(at(second), U"-/")) return {};
    const std::size_t end = group(second + 1, 4);
    return end >= second + 3 ? whole(i, end) : Match{};
}

// "1 1/2" is one token with a no-break space inside.
PtbLexer::Match PtbLexer::fraction(std::size_t i) const {
    const std::size_t units = digits_end(i);
    if (units == i || units > i + 4) return {};
    if (at(units) != U' ' && at(units) != U'-' && at(units) != 0xa0) return {};
    const std::size_t slash = digits_end(units + 1);
    const std::size_t end = std::min(digits_end(slash + 1), slash + 5);    // further digits are another number
    if (slash == units + 1 || slash > units + 5 || at(slash) != U'/' || end == slash + 1) return {};
    return {end - i, 0, 0, Spelling::spaced};
}

// (555) 123-4567, +44 20 7946 0123, 800-555-1234: an area of two or three digits in brackets, or one or two groups of
// two to four with a separator behind; then three or four digits and three to five. Spaces become no-break spaces.
PtbLexer::Match PtbLexer::phone(std::size_t i) const {
    const std::size_t begin = at(i) == U'+' ? i + 1 : i;
    std::size_t end = i;
    if (at(i) == U'(') {
        const std::size_t close = digits_end(i + 1);
        if (close < i + 3 || close > i + 4 || at(close) != U')') return {};
        end = phone_tail(is_one_of(at(close + 1), phone_separators) ? close + 2 : close + 1);
    } else if (digit_at(begin)) {
        std::size_t area = begin;
        for (int areas = 0; areas < 2; ++areas) {
            const std::size_t stop = digits_end(area);
            if (stop < area + 2 || stop > area + 4 || !is_one_of(at(stop), phone_separators)) break;
            area = stop + 1;
            end = std::max(end, phone_tail(area));
        }
    }
    return end > i ? Match{end - i, 0, 0, Spelling::bracketed} : Match{};
}

// The end of three or four digits and three to five, with or without a separator; 0 if there is none.
std::size_t PtbLexer::phone_tail(std::size_t begin) const {
    const std::size_t first = digits_end(begin);
    if (first >= begin + 6) return std::min(first, begin + 9);
    if (first < begin + 3 || first > begin + 4 || !is_one_of(at(first), phone_separators)) return 0;
    const std::size_t end = std::min(digits_end(first + 1), first + 6);
    return end >= first + 4 ? end : 0;
}

// US$, C$; the sign alone is a symbol
PtbLexer::Match PtbLexer::money(std::size_t i) const {
    std::size_t end = i;
    while (at(end) >= U'A' && at(end) <= U'Z') ++end;
    return end > i && at(end) == U'$' ? whole(i, end + 1) : Match{};
}

}    // namespace blip

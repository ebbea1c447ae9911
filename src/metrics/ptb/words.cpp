// The scanner's rules for words and what joins them: periods, hyphens, slashes, ampersands. Called by
// PtbLexer::best_match.
#include <algorithm>

#include "src/metrics/ptb/lexer.h"

namespace blip {

PtbLexer::Match PtbLexer::abbreviation(std::size_t i) const {
    const std::size_t end = latin_end(i);
    if (end == i || end > i + 8 || at(end) != U'.') return {};
    const std::size_t left = text_.size() - end - 1;
    if (starts_with(i, U"ph.d.")) return {5, std::min<std::size_t>(left, 2)};
    const std::size_t next = space_end(end + 1);
    if (end == i + 1) {
        // a letter and its period, unless what comes next shows that a sentence ended there: The, Mr., <b>
        const std::size_t tagged = next + tag(next).length;
        std::size_t stop = letters_end(next);
        bool sentence = tagged > next || starts_sentence(text_.substr(next, stop - next));
        if (at(stop) == U'.' && stop == next + 2 && at(next) == U'M' && is_one_of(lower_ascii(at(next + 1)), U"rs"))
            sentence = true, ++stop;
        stop = std::max(stop, tagged);
        const bool closed = stop >= text_.size() || space_at(stop);
        return next > end + 1 && closed && sentence ? Match{} : whole(i, end + 1);
    }
    Match match = whole(i, end + 1);
    switch (find_abbreviation(text_.substr(i, end - i))) {
        case Abbreviation::none:
            return {};
        case Abbreviation::number:
            return digit_at(next) && next <= end + 2 ? match : Match{};
        case Abbreviation::title:
            return match;
        case Abbreviation::plain:
            match.ahead = std::min<std::size_t>(left, 2);
            return match;
    }
    return {};
}

// U.S., e.g., a.b.c. with its last period
PtbLexer::Match PtbLexer::acronym(std::size_t i) const {
    std::size_t end = i;
    while (latin_at(end) && at(end + 1) == U'.') end += 2;
    return end >= i + 4 ? whole(i, end) : Match{};
}

// A word keeps its period before another mark: "dog., cat".
PtbLexer::Match PtbLexer::stopped_word(std::size_t i) const {
    if (!word_at(i)) return {};
    const std::size_t longest = std::max({words_end(i) - i, dotted_word(i).length, hyphenated(i).length});
    const std::size_t end = i + longest;
    return at(end) == U'.' && is_one_of(at(end + 1), U",;:\u3001") ? whole(i, end + 1) : Match{};
}

// laptop.A, a.b.c, stop!The: words that begin with a letter, joined by single marks
PtbLexer::Match PtbLexer::dotted_word(std::size_t i) const {
    if (!letter_at(i)) return {};
    std::size_t end = words_end(i);
    const std::size_t first = end;
    while (is_one_of(at(end), U".!?") && letter_at(end + 1)) end = words_end(end + 1);
    return end > first ? before_contraction(i, end) : Match{};
}

// mother-in-law, jalapeño-stuffed, d'oeuvre-like, double-o'clock
PtbLexer::Match PtbLexer::hyphenated(std::size_t i) const {
    if (!word_at(i)) return {};
    const auto word_end = [&](std::size_t begin) {
        const std::size_t elided = is_one_of(lower_ascii(at(begin)), U"dlo") ? elided_end(begin) : begin;
        return elided > begin ? elided : words_end(begin);
    };
    const auto part_end = [&](std::size_t begin) {
        std::size_t end = word_end(begin);
        while (at(end) == U'_' && word_at(end + 1)) end = word_end(end + 1);
        return end;
    };
    const std::size_t first = part_end(i);
    std::size_t end = first;
    while (hyphen_at(end) && word_at(end + 1)) end = part_end(end + 1);
    return std::max(end > first ? whole(i, end) : Match{}, dotted_hyphenated(i),
                    [](const Match& a, const Match& b) { return a.length < b.length; });
}

// 2014-05-06, u.s.-led, non-U.S.: ASCII, commas and single periods before the first hyphen, later only in acronyms
PtbLexer::Match PtbLexer::dotted_hyphenated(std::size_t i) const {
    if (!latin_word_at(i)) return {};
    const std::size_t first = kind_end(i, char_dotted);
    std::size_t end = first;
    while (hyphen_at(end)) {
        const std::size_t part = std::max(latin_words_end(end + 1), end + 1 + acronym(end + 1).length);
        if (part == end + 1) break;
        end = part;
    }
    return end > first ? whole(i, end) : Match{};
}

// and/or, a/c, schoolbus/boat/house, also 1\/2: at most three parts, each with two hyphens at most, before letters only
PtbLexer::Match PtbLexer::slashed(std::size_t i) const {
    const auto part_end = [&](std::size_t begin) {
        std::size_t end = latin_words_end(begin);
        for (int hyphens = 0; hyphens < 2 && end > begin && at(end) == U'-' && latin_at(end + 1); ++hyphens)
            end = latin_end(end + 1);
        return end;
    };
    std::size_t end = part_end(i);
    int parts = 1;
    for (; end > i && parts < 3; ++parts) {
        const std::size_t slash = at(end) == U'\\' ? end + 1 : end;
        const std::size_t next = part_end(slash + 1);
        if (at(slash) != U'/' || next == slash + 1) break;
        end = next;
    }
    return parts > 1 ? whole(i, end) : Match{};
}

// AT&T, B&W, also written AT&amp;T
PtbLexer::Match PtbLexer::ampersand_word(std::size_t i) const {
    const auto capitals_end = [&](std::size_t begin) {
        while (at(begin) >= U'A' && at(begin) <= U'Z') ++begin;
        return begin;
    };
    std::size_t end = capitals_end(i);
    const std::size_t first = end;
    if (end == i) return {};
    for (;;) {
        const std::size_t sign = starts_with(end, U"&amp;") ? 5 : at(end) == U'&' || at(end) == U'+' ? 1 : 0;
        const std::size_t next = sign == 0 ? end : capitals_end(end + sign);
        if (sign == 0 || next == end + sign) break;
        end = next;
    }
    return end > first ? Match{end - i, 0, 0, Spelling::ampersand} : Match{};
}

PtbLexer::Match PtbLexer::word(std::size_t i) const {
    for (const std::u32string_view prefix : {U"anti-", U"pro-"}) {
        if (starts_with(i, prefix)) return whole(i, i + prefix.size());
    }
    if (starts_with(i, U"c++")) return whole(i, i + 3);
    if (starts_with(i, U"c#") || starts_with(i, U"f#")) return whole(i, i + 2);
    return before_contraction(i, joined_words_end(i));
}

std::size_t PtbLexer::latin_words_end(std::size_t i) const {
    while (latin_word_at(i)) i = latin_at(i) ? latin_end(i) : digits_end(i);
    return i;
}

std::size_t PtbLexer::joined_words_end(std::size_t i) const {
    std::size_t end = words_end(i);
    while (end > i && at(end) == U'_' && word_at(end + 1)) end = words_end(end + 1);
    return end;
}

}    // namespace blip

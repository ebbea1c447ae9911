// The scan and its rules for words and addresses; ptb_apostrophes, ptb_numbers and ptb_punctuation hold the others.
// Called by ptb_tokenize.
#include "ptb_lexer.h"

#include <algorithm>
#include <array>

namespace blip {
namespace {

constexpr std::u32string_view url_marks = U".!?(){},-;:'`\u2019\u201d";
constexpr std::u32string_view email_marks = U".,!;:'`\u2019\u201d";

// What may not stand in an address.
bool ends_address(char32_t c) { return is_space(c) || is_one_of(c, U"\"<>|()"); }

}    // namespace

PtbLexer::PtbLexer(std::u32string_view text, std::size_t context)
    : text_(text), context_(context), is_word_(text.size()) {
    const std::size_t n = text.size();
    for (std::size_t i = 0; i < n; ++i) is_word_[i] = is_word_character(text[i]);
    for (auto* ends : {&dotted_end_, &address_end_, &next_at_, &word_run_end_, &letter_run_end_, &latin_run_end_})
        ends->assign(n + 1, n);
    for (std::size_t i = n; i-- > 0;) {
        const char32_t c = text[i];
        dotted_end_[i] = is_word_[i] || is_one_of(c, U".,_") ? dotted_end_[i + 1] : i;
        address_end_[i] = ends_address(c) ? i : address_end_[i + 1];
        next_at_[i] = c == U'@' ? i : next_at_[i + 1];
        word_run_end_[i] = is_word_[i] ? word_run_end_[i + 1] : i;
        letter_run_end_[i] = letter_at(i) ? letter_run_end_[i + 1] : i;
        latin_run_end_[i] = latin_at(i) ? latin_run_end_[i + 1] : i;
    }
}

std::vector<std::u32string> PtbLexer::tokens() const {
    static constexpr std::array<Rule, 23> rules{&PtbLexer::entity,      &PtbLexer::tag,
                                                &PtbLexer::url,         &PtbLexer::email,
                                                &PtbLexer::handle,      &PtbLexer::contraction,
                                                &PtbLexer::apostrophe,  &PtbLexer::apostrophe_word,
                                                &PtbLexer::dotted_word, &PtbLexer::abbreviation,
                                                &PtbLexer::acronym,     &PtbLexer::hyphenated,
                                                &PtbLexer::slashed,     &PtbLexer::ampersand_word,
                                                &PtbLexer::word,        &PtbLexer::stopped_word,
                                                &PtbLexer::fraction,    &PtbLexer::phone,
                                                &PtbLexer::number,      &PtbLexer::money,
                                                &PtbLexer::emoticon,    &PtbLexer::punctuation,
                                                &PtbLexer::symbol};
    std::vector<std::u32string> result;
    for (std::size_t i = 0; i < context_;) {
        if (is_space(text_[i])) {
            ++i;
            continue;
        }
        Match best;
        for (const Rule rule : rules) {
            Match match = (this->*rule)(i);
            if (match.length > 0 && match.length + match.ahead > best.length + best.ahead) best = std::move(match);
        }
        for (std::u32string& token : best.tokens) result.push_back(std::move(token));
        i += std::max<std::size_t>(best.length, 1);
    }
    return result;
}

bool PtbLexer::starts_with(std::size_t i, std::u32string_view lower) const {
    if (text_.size() - i < lower.size()) return false;
    for (std::size_t k = 0; k < lower.size(); ++k) {
        const char32_t c = text_[i + k];
        if ((c >= U'A' && c <= U'Z' ? c + 32 : c == U'\u2019' ? U'\'' : c) != lower[k]) return false;
    }
    return true;
}

std::size_t PtbLexer::letters_end(std::size_t i) const { return letter_run_end_[std::min(i, text_.size())]; }
std::size_t PtbLexer::latin_end(std::size_t i) const { return latin_run_end_[std::min(i, text_.size())]; }
std::size_t PtbLexer::latin_words_end(std::size_t i) const {
    while (latin_at(i) || digit_at(i)) ++i;
    return i;
}
std::size_t PtbLexer::words_end(std::size_t i) const { return word_run_end_[std::min(i, text_.size())]; }
std::size_t PtbLexer::digits_end(std::size_t i) const {
    while (digit_at(i)) ++i;
    return i;
}
std::size_t PtbLexer::run_end(std::size_t i) const {
    const char32_t c = at(i);
    while (i < text_.size() && text_[i] == c) ++i;
    return i;
}
std::size_t PtbLexer::space_end(std::size_t i) const {
    while (i < text_.size() && is_space(text_[i])) ++i;
    return i;
}

PtbLexer::Match PtbLexer::whole(std::size_t begin, std::size_t end) const {
    if (end <= begin) return {};
    return {end - begin, {std::u32string(text_.substr(begin, end - begin))}};
}

// Marks at the end are not part of an address. (So many at most: the scan stays linear.)
std::size_t PtbLexer::address_trimmed(std::size_t begin, std::size_t end, std::u32string_view marks) const {
    for (int most = 16; most > 0 && end > begin && is_one_of(text_[end - 1], marks); --most) --end;
    return end;
}

// http://..., or a host under www. or a common domain with a path of two characters or more.
PtbLexer::Match PtbLexer::url(std::size_t i) const {
    for (const std::u32string_view scheme : {U"http://", U"https://"}) {
        if (!starts_with(i, scheme)) continue;
        const std::size_t begin = i + scheme.size();
        const std::size_t end = address_trimmed(begin, address_end_[begin], url_marks);
        if (end >= begin + 2) return whole(i, end);
    }
    if (!letter_at(i)) return {};
    std::size_t end = words_end(i), last = i;    // last: start of the last label
    int labels = 1;
    while (at(end) == U'.' && word_at(end + 1)) {
        last = end + 1;
        end = words_end(last);
        ++labels;
    }
    const std::u32string_view domain = text_.substr(last, end - last);
    const bool common = starts_with(last, U"com") || starts_with(last, U"net") || starts_with(last, U"org") ||
                        starts_with(last, U"edu");
    const bool is_host = labels >= 2 && ((common && domain.size() == 3) || (starts_with(i, U"www.") && labels >= 3 &&
                                                                            domain.size() >= 2 && domain.size() <= 4));
    if (!is_host || at(end) != U'/') return {};
    const std::size_t path_end = address_trimmed(end + 1, address_end_[end], url_marks);
    return path_end >= end + 3 ? whole(i, path_end) : Match{};
}

PtbLexer::Match PtbLexer::email(std::size_t i) const {
    if (!latin_at(i) && !digit_at(i)) return {};
    const std::size_t sign = next_at_[i];
    if (sign >= address_end_[i]) return {};
    const std::size_t end = address_trimmed(sign + 1, address_end_[sign], email_marks);
    return end > sign + 1 ? whole(i, end) : Match{};
}

// @name2, #tag: a name is ASCII and may hold digits, a tag has letters only
PtbLexer::Match PtbLexer::handle(std::size_t i) const {
    if (at(i) != U'@' && at(i) != U'#') return {};
    const bool tag = at(i) == U'#';
    if (!(tag ? letter_at(i + 1) : latin_at(i + 1)) && at(i + 1) != U'_') return {};
    std::size_t end = i + 1;
    while ((tag ? letter_at(end) : latin_at(end) || digit_at(end)) || at(end) == U'_') ++end;
    return whole(i, end);
}

PtbLexer::Match PtbLexer::abbreviation(std::size_t i) const {
    const std::size_t end = latin_end(i);
    if (end == i || end > i + 8 || at(end) != U'.') return {};
    const std::size_t left = text_.size() - end - 1;
    if (starts_with(i, U"ph.d.")) return {5, {std::u32string(text_.substr(i, 5))}, std::min<std::size_t>(left, 2)};
    const std::size_t next = space_end(end + 1);
    if (end == i + 1) {
        // a letter and its period, unless the next word shows that a sentence ended there
        const std::size_t stop = letters_end(next);
        const bool closed = stop >= text_.size() || is_space(at(stop));
        const bool sentence = next > end + 1 && closed && starts_sentence(text_.substr(next, stop - next));
        return sentence ? Match{} : whole(i, end + 1);
    }
    Match match = whole(i, end + 1);
    switch (find_abbreviation(text_.substr(i, end - i))) {
        case Abbreviation::none:
            return {};
        case Abbreviation::number:
            return digit_at(next) ? match : Match{};
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
    return at(end) == U'.' && is_one_of(at(end + 1), U",;:") ? whole(i, end + 1) : Match{};
}

// laptop.A, www.example.com, a.b.c: parts that begin with a letter, joined by single periods
PtbLexer::Match PtbLexer::dotted_word(std::size_t i) const {
    if (!letter_at(i)) return {};
    std::size_t end = words_end(i);
    const std::size_t first = end;
    while (at(end) == U'.' && letter_at(end + 1)) end = words_end(end + 1);
    return end > first ? whole(i, end) : Match{};
}

// mother-in-law, 2014-05-06, u.s.-led: periods and commas only before the first hyphen
PtbLexer::Match PtbLexer::hyphenated(std::size_t i) const {
    if (!word_at(i)) return {};
    const auto tail = [&](std::size_t end) {
        while (hyphen_at(end) && word_at(end + 1)) {
            end = words_end(end + 1);
            while (at(end) == U'_' && word_at(end + 1)) end = words_end(end + 1);
        }
        return end;
    };
    // d'oeuvre-like beginnings take hyphens, too
    const std::size_t letters = latin_end(i);
    if (letters == i + 1 && apostrophe_at(letters) && is_one_of(at(i), U"dloDLO") && latin_at(letters + 1)) {
        const std::size_t begin = words_end(letters + 1);
        return tail(begin) > begin ? whole(i, tail(begin)) : Match{};
    }
    const std::size_t begin = dotted_end_[i];
    return tail(begin) > begin ? whole(i, tail(begin)) : Match{};
}

// and/or, a/c, schoolbus/boat/house: at most three parts, their hyphens before letters only
PtbLexer::Match PtbLexer::slashed(std::size_t i) const {
    const auto part_end = [&](std::size_t begin) {
        std::size_t end = latin_words_end(begin);
        while (end > begin && at(end) == U'-' && latin_at(end + 1)) end = latin_end(end + 1);
        return end;
    };
    std::size_t end = part_end(i);
    int parts = 1;
    for (; end > i && parts < 3 && at(end) == U'/' && part_end(end + 1) > end + 1; ++parts) end = part_end(end + 1);
    return parts > 1 ? whole(i, end) : Match{};
}

// AT&T, B&W, also written AT&amp;T
PtbLexer::Match PtbLexer::ampersand_word(std::size_t i) const {
    const auto capitals_end = [&](std::size_t begin) {
        while (at(begin) >= U'A' && at(begin) <= U'Z') ++begin;
        return begin;
    };
    std::size_t end = capitals_end(i);
    if (end == i) return {};
    std::u32string token(text_.substr(i, end - i));
    bool joined = false;
    for (;;) {
        const std::size_t sign = starts_with(end, U"&amp;") ? 5 : at(end) == U'&' || at(end) == U'+' ? 1 : 0;
        const std::size_t next = sign == 0 ? end : capitals_end(end + sign);
        if (sign == 0 || next == end + sign) break;
        token += at(end);
        token += text_.substr(end + sign, next - end - sign);
        end = next;
        joined = true;
    }
    if (joined) return {end - i, {token}};
    return {};
}

PtbLexer::Match PtbLexer::word(std::size_t i) const {
    if (starts_with(i, U"c++")) return whole(i, i + 3);
    if (starts_with(i, U"c#") || starts_with(i, U"f#")) return whole(i, i + 2);
    std::size_t end = words_end(i);
    while (end > i && at(end) == U'_' && word_at(end + 1)) end = words_end(end + 1);
    return whole(i, end);
}

}    // namespace blip

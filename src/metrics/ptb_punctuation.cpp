// The scanner's rules for marks: apostrophes, brackets, runs, money, emoticons, tags and entities.
#include <algorithm>
#include <array>
#include <utility>

#include "ptb_lexer.h"

namespace blip {
namespace {

bool is_one_of(char32_t c, std::u32string_view set) { return c != 0 && set.find(c) != std::u32string_view::npos; }

}    // namespace

// &quot; and its kin
PtbLexer::Match PtbLexer::entity(std::size_t i) const {
    if (at(i) != U'&') return {};
    struct Entity {
        std::u32string_view name, token;
    };
    static constexpr std::array entities{Entity{U"&quot;", U"''"}, Entity{U"&amp;", U"&"},    Entity{U"&lt;", U"<"},
                                         Entity{U"&gt;", U">"},    Entity{U"&apos;", U"'"},   Entity{U"&mdash;", U"--"},
                                         Entity{U"&ndash;", U"--"}};
    for (const auto& [name, token] : entities) {
        if (text_.substr(i).starts_with(name)) return {name.size(), {std::u32string(token)}};
    }
    if (text_.substr(i).starts_with(U"&nbsp;")) return {6, {}};
    if (at(i + 1) == U'#') {
        const std::size_t end = digits_end(i + 2);
        return end > i + 2 && at(end) == U';' ? whole(i, end + 1) : Match{};
    }
    // accented vowels
    if (!is_one_of(at(i + 1), U"aeiouAEIOU")) return {};
    for (const std::u32string_view accent : {U"acute;", U"grave;", U"uml;"}) {
        if (text_.substr(i + 2).starts_with(accent)) return whole(i, i + 2 + accent.size());
    }
    return {};
}

// <b>, </b>, <a href="x">, <!-- x -->; spaces inside become no-break spaces
PtbLexer::Match PtbLexer::tag(std::size_t i) const {
    if (at(i) != U'<') return {};
    std::size_t end = i + 1;
    if (at(end) == U'!' || at(end) == U'?') {
        while (end < text_.size() && at(end) != U'<' && at(end) != U'>') ++end;
    } else {
        if (at(end) == U'/') ++end;
        if (!letter_at(end) || at(end) > 0x7F) return {};
        while ((word_at(end) && at(end) < 0x80) || is_one_of(at(end), U"-_.@")) ++end;
        if (at(end) != U'>' && at(end) != U'/' && at(end) != U' ') return {};
        char32_t quote = 0;
        for (; end < text_.size() && at(end) != U'<' && (quote != 0 || at(end) != U'>'); ++end) {
            if (quote != 0 && at(end) == quote) quote = 0;
            else if (quote == 0 && (at(end) == U'"' || at(end) == U'\'') && at(end - 1) == U'=') quote = at(end);
        }
    }
    if (at(end) != U'>') return {};
    std::u32string token(text_.substr(i, end + 1 - i));
    std::replace(token.begin(), token.end(), U' ', U'\u00a0');
    return {token.size(), {std::move(token)}};
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
        if (starts_with(i, suffix) && !word_at(i + suffix.size())) return ascii(i + suffix.size());
    }
    if (starts_with(i, U"'tis") || starts_with(i, U"'twas")) return ascii(i + 2);
    for (const std::u32string_view word : {U"'till", U"'til", U"'em", U"'cause", U"'n'"}) {
        if (starts_with(i, word)) return whole(i, i + word.size());
    }
    if (starts_with(i, U"'n") && !word_at(i + 2)) return whole(i, i + 2);
    if (digit_at(i + 1) && digit_at(i + 2)) {
        const std::size_t end = at(i + 3) == U's' || at(i + 3) == U'S' ? i + 4 : i + 3;
        if (!word_at(end) && !hyphen_at(end) && !apostrophe_at(end)) return whole(i, end);
    }
    return {1, {U"'"}};
}

// US$, C$; the sign alone is a symbol
PtbLexer::Match PtbLexer::money(std::size_t i) const {
    std::size_t end = i;
    while (end < i + 3 && at(end) >= U'A' && at(end) <= U'Z') ++end;
    return end > i && at(end) == U'$' ? whole(i, end + 1) : Match{};
}

// :-) ;) =( >:( :D ^_^ with the brackets spelt out
PtbLexer::Match PtbLexer::emoticon(std::size_t i) const {
    if (text_.substr(i).starts_with(U"^_^")) return whole(i, i + 3);
    std::size_t end = at(i) == U'>' && at(i + 1) == U':' ? i + 1 : i;
    if (!is_one_of(at(end), U":;=")) return {};
    ++end;
    if (is_one_of(at(end), U"-o'")) ++end;
    if (!is_one_of(at(end), U")(DdPp][{O")) return {};
    if (word_at(end + 1)) return {};
    std::u32string token(text_.substr(i, end - i));
    token += at(end) == U')' ? U"-rrb-" : at(end) == U'(' ? U"-lrb-" : std::u32string(1, at(end));
    return {end + 1 - i, {std::move(token)}};
}

PtbLexer::Match PtbLexer::punctuation(std::size_t i) const {
    const char32_t c = at(i);
    if (c > 0x7F) return {};
    struct Bracket {
        char32_t c;
        std::u32string_view token;
    };
    static constexpr std::array brackets{Bracket{U'(', U"-lrb-"}, Bracket{U')', U"-rrb-"}, Bracket{U'[', U"-lsb-"},
                                         Bracket{U']', U"-rsb-"}, Bracket{U'{', U"-lcb-"}, Bracket{U'}', U"-rcb-"}};
    for (const auto& [mark, token] : brackets) {
        if (c == mark) return {1, {std::u32string(token)}};
        if (c == U'-' && starts_with(i, token)) return {token.size(), {std::u32string(token)}};
    }
    const std::size_t run = run_end(i);
    if (c == U'"') return {1, {U"''"}};
    if (c == U'`') return {std::min<std::size_t>(run - i, 2), {std::u32string(std::min<std::size_t>(run - i, 2), U'`')}};
    if (c == U'-') return run - i >= 2 && run - i <= 4 ? Match{run - i, {U"--"}} : whole(i, run);
    if (c == U'.') return run - i >= 3 ? Match{std::min<std::size_t>(run - i, 5), {U"..."}} : whole(i, i + 1);
    if (c == U'?' || c == U'!') {
        // a run that begins with a question mark may mix; exclamation marks keep to themselves
        std::size_t end = i;
        while (at(end) == U'?' || at(end) == U'!') ++end;
        return whole(i, c == U'?' ? end : run);
    }
    if ((c == U'*' || c == U'_') || ((c == U'@' || c == U'#') && run > i + 1)) return whole(i, run);
    if ((c == U'<' || c == U'>') && run > i + 1) return whole(i, i + 2);
    return word_at(i) ? Match{} : whole(i, i + 1);
}

PtbLexer::Match PtbLexer::symbol(std::size_t i) const {
    if (at(i) < 0x80 || word_at(i)) return {};
    const std::u32string token = symbol_token(at(i));
    if (token.empty()) return {1, {}};
    return {1, {token}};
}

}    // namespace blip

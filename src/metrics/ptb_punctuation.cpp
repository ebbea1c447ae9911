// The scanner's rules for marks: brackets, runs, emoticons, tags and entities. Called by PtbLexer::tokens.
#include <algorithm>
#include <array>
#include <utility>

#include "ptb_lexer.h"

namespace blip {
// &quot; and its kin
PtbLexer::Match PtbLexer::entity(std::size_t i) const {
    if (at(i) != U'&') return {};
    struct Entity {
        std::u32string_view name, token;
    };
    static constexpr std::array entities{Entity{U"&quot;", U"''"}, Entity{U"&amp;", U"&"},  Entity{U"&lt;", U"<"},
                                         Entity{U"&gt;", U">"},    Entity{U"&apos;", U"'"}, Entity{U"&mdash;", U"--"},
                                         Entity{U"&ndash;", U"--"}};
    for (const auto& [name, token] : entities) {
        if (text_.substr(i).starts_with(name) || (name == U"&amp;" && text_.substr(i).starts_with(U"&AMP;")))
            return {name.size(), {std::u32string(token)}};
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
            if (quote != 0 && at(end) == quote)
                quote = 0;
            else if (quote == 0 && (at(end) == U'"' || at(end) == U'\'') && at(end - 1) == U'=')
                quote = at(end);
        }
    }
    if (at(end) != U'>' || end >= context_) return {};
    std::u32string token(text_.substr(i, end + 1 - i));
    std::replace(token.begin(), token.end(), U' ', U'\u00a0');
    return {end + 1 - i, {std::move(token)}};
}

// :-) ;) =( >:( :D ^_^ with the brackets spelt out
PtbLexer::Match PtbLexer::emoticon(std::size_t i) const {
    if (text_.substr(i).starts_with(U"^_^")) return whole(i, i + 3);
    std::size_t end = at(i) == U'>' && at(i + 1) == U':' ? i + 1 : i;
    if (!is_one_of(at(end), U":;=")) return {};
    ++end;
    if (is_one_of(at(end), U"-o'")) ++end;
    if (!is_one_of(at(end), U")(DdPp][{O|\\")) return {};
    if (latin_at(end + 1) || digit_at(end + 1)) return {};
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
    if (c == U'"') return {1, {U"''"}};
    const bool twice = at(i + 1) == c;
    if (c == U'`' || c == U'<' || c == U'>') return whole(i, twice ? i + 2 : i + 1);
    if (c == U'.') {
        std::size_t end = i;
        while (end < i + 5 && at(end) == U'.') ++end;
        return end >= i + 3 ? Match{end - i, {U"..."}} : whole(i, i + 1);
    }
    if (c == U'-') {
        const std::size_t end = run_end(i);
        return end >= i + 2 && end <= i + 4 ? Match{end - i, {U"--"}} : whole(i, end);
    }
    if (c == U'?' || c == U'!') {
        std::size_t end = i;
        while (at(end) == U'?' || at(end) == U'!') ++end;
        return whole(i, end);
    }
    if (is_one_of(c, U"*_@#")) return whole(i, run_end(i));
    return word_at(i) ? Match{} : whole(i, i + 1);
}

PtbLexer::Match PtbLexer::symbol(std::size_t i) const {
    if (at(i) < 0x80 || word_at(i)) return {};
    const std::u32string token = symbol_token(at(i));
    if (token.empty()) return {1, {}};
    return {1, {token}};
}

}    // namespace blip

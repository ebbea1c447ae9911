// The scanner's rules for marks: brackets, runs, emoticons, tags and entities. Called by PtbLexer::best_match.
#include <array>

#include "src/metrics/ptb/lexer.h"

namespace blip {
// &quot; and its kin, in small letters or capitals
PtbLexer::Match PtbLexer::entity(std::size_t i) const {
    if (at(i) != U'&') return {};
    struct Entity {
        std::u32string_view name, token;
    };
    static constexpr std::array entities{Entity{U"&quot;", U"''"}, Entity{U"&amp;", U"&"},  Entity{U"&lt;", U"<"},
                                         Entity{U"&gt;", U">"},    Entity{U"&apos;", U"'"}, Entity{U"&mdash;", U"--"},
                                         Entity{U"&ndash;", U"--"}};
    for (const auto& [name, token] : entities) {
        if (!starts_with(i, name)) continue;
        // quotation marks in capitals stand as they are
        const bool quote = is_one_of(token.front(), U"'");
        if (quote && !text_.substr(i).starts_with(name)) return whole(i, i + name.size());
        return {name.size(), 0, 0, Spelling::literal, token};
    }
    if (starts_with(i, U"&nbsp;")) return {6, 0, 0, Spelling::none};
    if (at(i + 1) == U'#') {
        const std::size_t end = digits_end(i + 2);
        return end > i + 2 && at(end) == U';' ? whole(i, end + 1) : Match{};
    }
    // accented vowels
    if (!is_one_of(at(i + 1), U"aeiouAEIOU")) return {};
    for (const std::u32string_view accent : {U"acute;", U"grave;", U"uml;"}) {
        if (starts_with(i + 2, accent)) return whole(i, i + 2 + accent.size());
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
    return {end + 1 - i, 0, 0, Spelling::spaced};
}

// :-) ;) =( >:( <:) :D ^_^ x_x with the round brackets spelt out
PtbLexer::Match PtbLexer::emoticon(std::size_t i) const {
    constexpr std::u32string_view faces = U"^x-~=<>'";
    if (is_one_of(at(i), faces) && at(i + 1) == U'_' && is_one_of(at(i + 2), faces)) return whole(i, i + 3);
    std::size_t end = at(i) == U'>' || at(i) == U'<' ? i + 1 : i;
    if (!is_one_of(at(end), U":;=")) return {};
    ++end;
    if (is_one_of(at(end), U"-o'")) ++end;
    if (!is_one_of(at(end), U")(DdPp][{O|\\@")) return {};
    if (latin_word_at(end + 1)) return {};
    return {end + 1 - i, 0, 0, Spelling::bracketed};
}

// A pair of curly or angle quotation marks is one token, whichever they are; one of them may be a `.
PtbLexer::Match PtbLexer::quotes(std::size_t i) const {
    constexpr std::u32string_view marks = U"\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u00ab\u00bb";
    const bool curly = is_one_of(at(i), marks), next_curly = is_one_of(at(i + 1), marks);
    if (!(curly && (next_curly || at(i + 1) == U'`')) && !(at(i) == U'`' && next_curly)) return {};
    return {2, 0, 0, Spelling::quoted};
}

PtbLexer::Match PtbLexer::punctuation(std::size_t i) const {
    const char32_t c = at(i);
    if (c > 0x7F) return {};
    if (c < 0x20 || c == 0x7F) return {1, 0, 0, Spelling::none};
    struct Bracket {
        char32_t c;
        std::u32string_view token;
    };
    static constexpr std::array brackets{Bracket{U'(', U"-lrb-"}, Bracket{U')', U"-rrb-"}, Bracket{U'[', U"-lsb-"},
                                         Bracket{U']', U"-rsb-"}, Bracket{U'{', U"-lcb-"}, Bracket{U'}', U"-rcb-"}};
    for (const auto& [mark, token] : brackets) {
        if (c == mark) return {1, 0, 0, Spelling::literal, token};
        if (c == U'-' && starts_with(i, token)) return {token.size(), 0, 0, Spelling::literal, token};
    }
    if (c == U'"') return {1, 0, 0, Spelling::literal, U"''"};
    if (c == U'\\' && at(i + 1) == U'*') return whole(i, i + 2);
    const bool twice = at(i + 1) == c;
    if (c == U'`' || c == U'<' || c == U'>') return whole(i, twice ? i + 2 : i + 1);
    if (c == U'.') {
        std::size_t end = i + 1;
        for (int more = 0; more < 4 && at(end) == U' ' && at(end + 1) == U'.'; ++more) end += 2;
        if (end >= i + 5) return {end - i, 0, 0, Spelling::literal, U"..."};
        end = i;
        while (end < i + 5 && at(end) == U'.') ++end;
        return end >= i + 3 ? Match{end - i, 0, 0, Spelling::literal, U"..."} : whole(i, i + 1);
    }
    if (c == U'-') {
        const std::size_t end = repeats_end(i);
        return end >= i + 2 && end <= i + 4 ? Match{end - i, 0, 0, Spelling::literal, U"--"} : whole(i, end);
    }
    if (c == U'?' || c == U'!') {
        std::size_t end = i;
        while (at(end) == U'?' || at(end) == U'!') ++end;
        return whole(i, end);
    }
    if (is_one_of(c, U"*_@#")) return whole(i, repeats_end(i));
    return word_at(i) ? Match{} : whole(i, i + 1);
}

// Outside ASCII: letters have gone to the rules for words already.
PtbLexer::Match PtbLexer::symbol(std::size_t i) const {
    const std::u32string_view token = symbol_token(at(i));
    if (!token.empty()) return {1, 0, 0, Spelling::literal, token};
    return {1, 0, 0, is_kept_symbol(at(i)) ? Spelling::as_is : Spelling::none};
}

}    // namespace blip

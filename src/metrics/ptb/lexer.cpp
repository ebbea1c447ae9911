// The scan itself: which rule wins, and how its characters become tokens. ptb_words, ptb_addresses, ptb_apostrophes,
// ptb_numbers and ptb_punctuation hold the rules, ptb_tables their lists. Called by ptb_tokenize.
#include "src/metrics/ptb/lexer.h"

#include <algorithm>
#include <bit>

namespace blip {

PtbLexer::PtbLexer(std::u32string_view text, std::size_t context)
    : text_(text), context_(context), kinds_(text.size()) {
    std::transform(text.begin(), text.end(), kinds_.begin(), char_kinds);
}

PtbLexer::Match PtbLexer::best_match(std::size_t i) const {
    static constexpr std::array<Rule, 26> rules{
        &PtbLexer::entity,          &PtbLexer::tag,         &PtbLexer::url,
        &PtbLexer::www_host,        &PtbLexer::host,        &PtbLexer::email,
        &PtbLexer::handle,          &PtbLexer::contraction, &PtbLexer::apostrophe,
        &PtbLexer::apostrophe_word, &PtbLexer::dotted_word, &PtbLexer::abbreviation,
        &PtbLexer::acronym,         &PtbLexer::hyphenated,  &PtbLexer::slashed,
        &PtbLexer::ampersand_word,  &PtbLexer::word,        &PtbLexer::stopped_word,
        &PtbLexer::file_name,       &PtbLexer::fraction,    &PtbLexer::phone,
        &PtbLexer::number,          &PtbLexer::money,       &PtbLexer::emoticon,
        &PtbLexer::punctuation,     &PtbLexer::date};
    // Most characters belong to lower-case words between spaces, where only "cannot" and its like have a rule.
    if (latin_at(i)) {
        const std::size_t end = latin_end(i);
        if (space_at(end) && at(end) < 0x80) {
            const Match pair = contraction(i);
            return pair.length > 0 ? pair : whole(i, end);
        }
    }
    // other spaces may begin a host's name
    Match best = space_at(i) ? Match{space_end(i) - i, 0, 0, Spelling::none} : quotes(i);
    if (at(i) == U' ') return best;
    for (const Rule rule : rules) {
        const Match match = (this->*rule)(i);
        if (match.length > 0 && match.length + match.ahead > best.length + best.ahead) best = match;
    }
    return best.length > 0 ? best : symbol(i);
}

// Appends the characters of one part of a match to its token.
void PtbLexer::spell(std::size_t i, const Match& match, int part, std::u32string& token) const {
    if (match.spelling == Spelling::none || (part == 1 && match.split == 0)) return;
    if (match.spelling == Spelling::literal) {
        token = match.literal;
        return;
    }
    const std::size_t begin = part == 0 ? i : i + match.split;
    const std::size_t end = part == 0 && match.split > 0 ? i + match.split : i + match.length;
    for (std::size_t k = begin; k < end; ++k) {
        const char32_t c = text_[k];
        const bool spaced = match.spelling == Spelling::spaced || match.spelling == Spelling::bracketed;
        if (spaced && c < 0x80 && is_space(c)) {
            token += U'\u00a0';
        } else if (match.spelling == Spelling::bracketed && (c == U'(' || c == U')')) {
            token += c == U'(' ? U"-lrb-" : U"-rrb-";
        } else if (match.spelling == Spelling::quoted && !symbol_token(c).empty()) {
            token += symbol_token(c);
        } else if (match.spelling == Spelling::ampersand && starts_with(k, U"&amp;")) {
            token += c;
            k += 4;
        } else if (c != soft_hyphen) {
            token += c;
        }
    }
}

bool PtbLexer::starts_with(std::size_t i, std::u32string_view lower) const {
    if (text_.size() - std::min(i, text_.size()) < lower.size()) return false;
    for (std::size_t k = 0; k < lower.size(); ++k) {
        const char32_t c = text_[i + k];
        if ((c == U'\u2019' ? U'\'' : lower_ascii(c)) != lower[k]) return false;
    }
    return true;
}

std::size_t PtbLexer::kind_end(std::size_t i, CharKind kind) const {
    if (!is(i, kind)) return std::min(i, text_.size());
    Run& run = runs_[static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(kind)))];
    if (i >= run.begin && i < run.end) return run.end;
    std::size_t end = i + 1;
    while (is(end, kind)) ++end;
    run = {i, end};
    return end;
}

std::size_t PtbLexer::repeats_end(std::size_t i) const {
    const char32_t c = at(i);
    while (i < text_.size() && text_[i] == c) ++i;
    return i;
}

}    // namespace blip

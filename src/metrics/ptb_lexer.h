// The scanner behind ptb_tokenize: at each place every rule proposes a length, the longest wins, the earlier rule on
// ties.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace blip {

// Splits one caption. Keeps punctuation tokens and upper case; brackets are already "-LRB-" and its kin in lower case.
class PtbLexer {
  public:
    // context: text_ from there on belongs to the next caption and is looked at only.
    PtbLexer(std::u32string_view text, std::size_t context);
    std::vector<std::u32string> tokens() const;

  private:
    // One rule's proposal: how many characters it takes (0: none), their tokens, and how many more it looked at; those
    // count when rules are compared.
    struct Match {
        std::size_t length = 0;
        std::vector<std::u32string> tokens;
        std::size_t ahead = 0;
    };
    using Rule = Match (PtbLexer::*)(std::size_t) const;

    char32_t at(std::size_t i) const { return i < text_.size() ? text_[i] : U'\0'; }
    bool word_at(std::size_t i) const { return i < text_.size() && is_word_[i]; }    // letter or digit of any script
    bool letter_at(std::size_t i) const { return word_at(i) && !(at(i) >= U'0' && at(i) <= U'9'); }
    bool latin_at(std::size_t i) const {    // ASCII letter
        const char32_t c = at(i) | 0x20;
        return at(i) < 0x80 && c >= U'a' && c <= U'z';
    }
    bool digit_at(std::size_t i) const { return at(i) >= U'0' && at(i) <= U'9'; }
    bool apostrophe_at(std::size_t i) const { return at(i) == U'\'' || at(i) == U'\u2019'; }
    bool hyphen_at(std::size_t i) const { return at(i) == U'-' || at(i) == U'\u2010' || at(i) == U'\u2011'; }
    bool starts_with(std::size_t i, std::u32string_view lower) const;    // ASCII case ignored
    std::size_t letters_end(std::size_t i) const;
    std::size_t latin_end(std::size_t i) const;
    std::size_t latin_words_end(std::size_t i) const;    // ASCII letters and digits
    std::size_t words_end(std::size_t i) const;
    std::size_t digits_end(std::size_t i) const;
    std::size_t run_end(std::size_t i) const;    // end of the run of one repeated character
    std::size_t space_end(std::size_t i) const;
    Match whole(std::size_t begin, std::size_t end) const;    // one token as it stands; none if end <= begin
    std::size_t address_trimmed(std::size_t begin, std::size_t end, std::u32string_view marks) const;

    Match entity(std::size_t i) const;
    Match tag(std::size_t i) const;
    Match url(std::size_t i) const;
    Match email(std::size_t i) const;
    Match handle(std::size_t i) const;
    Match contraction(std::size_t i) const;
    Match apostrophe(std::size_t i) const;
    Match apostrophe_word(std::size_t i) const;
    Match abbreviation(std::size_t i) const;
    Match acronym(std::size_t i) const;
    Match stopped_word(std::size_t i) const;
    Match dotted_word(std::size_t i) const;
    Match hyphenated(std::size_t i) const;
    Match slashed(std::size_t i) const;
    Match ampersand_word(std::size_t i) const;
    Match word(std::size_t i) const;
    Match number(std::size_t i) const;
    Match fraction(std::size_t i) const;
    Match phone(std::size_t i) const;
    std::size_t phone_end(std::size_t begin, int areas) const;
    Match money(std::size_t i) const;
    Match emoticon(std::size_t i) const;
    Match punctuation(std::size_t i) const;
    Match symbol(std::size_t i) const;

    std::u32string_view text_;
    std::size_t context_;
    std::vector<bool> is_word_;
    // Ends of the runs that several rules would otherwise scan again from every character: linear time on any input.
    std::vector<std::size_t> dotted_end_;      // letters, digits, '.', ',', '_'
    std::vector<std::size_t> address_end_;     // what may stand in an e-mail address or URL
    std::vector<std::size_t> next_at_;         // next '@'
    std::vector<std::size_t> word_run_end_;    // letters and digits
    std::vector<std::size_t> letter_run_end_;
    std::vector<std::size_t> latin_run_end_;
};

inline bool is_one_of(char32_t c, std::u32string_view set) {
    return c != 0 && set.find(c) != std::u32string_view::npos;
}
bool is_space(char32_t c);
// Whether these letters, followed by a period, are an abbreviation that keeps it.
enum class Abbreviation {
    none,
    title,     // Mr. Ave.: joins with what follows without a space (Ave.a)
    plain,     // Jan. Inc.: stands apart (Jan. a)
    number,    // No.: only before a number
};
Abbreviation find_abbreviation(std::u32string_view letters);
// Whether a capitalised word usually starts a sentence, so that the single letter and period before it end one.
bool starts_sentence(std::u32string_view word);
// Punctuation and symbols outside ASCII: the token, empty if the character is dropped. Not for letters and digits.
std::u32string symbol_token(char32_t c);
bool is_word_character(char32_t c);

}    // namespace blip

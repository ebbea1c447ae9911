// The scanner behind ptb_tokenize: at each place every rule proposes a length, the longest wins, the earlier rule on ties.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace blip {

// Splits one caption. Keeps punctuation tokens and upper case; brackets are already "-LRB-" and its kin in lower case.
class PtbLexer {
  public:
    explicit PtbLexer(std::u32string_view text);
    std::vector<std::u32string> tokens();

  private:
    // One rule's proposal: how many characters it takes (0: none), and the tokens if they are not those characters.
    struct Match {
        std::size_t length = 0;
        std::vector<std::u32string> tokens;
    };
    using Rule = Match (PtbLexer::*)(std::size_t) const;

    char32_t at(std::size_t i) const { return i < text_.size() ? text_[i] : U'\0'; }
    bool word_at(std::size_t i) const { return i < text_.size() && is_word_[i]; }    // letter or digit of any script
    bool letter_at(std::size_t i) const { return word_at(i) && !(at(i) >= U'0' && at(i) <= U'9'); }
    bool digit_at(std::size_t i) const { return at(i) >= U'0' && at(i) <= U'9'; }
    bool apostrophe_at(std::size_t i) const { return at(i) == U'\'' || at(i) == U'\u2019'; }
    bool hyphen_at(std::size_t i) const { return at(i) == U'-' || at(i) == U'\u2010' || at(i) == U'\u2011'; }
    bool starts_with(std::size_t i, std::u32string_view lower) const;    // ASCII case ignored
    std::size_t letters_end(std::size_t i) const;
    std::size_t words_end(std::size_t i) const;
    std::size_t digits_end(std::size_t i) const;
    std::size_t run_end(std::size_t i) const;    // end of the run of one repeated character
    std::size_t space_end(std::size_t i) const;
    Match whole(std::size_t begin, std::size_t end) const;    // one token as it stands; none if end <= begin
    std::size_t url_end(std::size_t begin, std::size_t end) const;

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
    Match dotted_word(std::size_t i) const;
    Match hyphenated(std::size_t i) const;
    Match slashed(std::size_t i) const;
    Match ampersand_word(std::size_t i) const;
    Match word(std::size_t i) const;
    Match number(std::size_t i) const;
    Match fraction(std::size_t i) const;
    Match phone(std::size_t i) const;
    Match money(std::size_t i) const;
    Match emoticon(std::size_t i) const;
    Match punctuation(std::size_t i) const;
    Match symbol(std::size_t i) const;

    std::u32string_view text_;
    std::vector<bool> is_word_;
    // Ends of the runs that several rules would otherwise scan again from every character: linear time on any input.
    std::vector<std::size_t> dotted_end_;     // letters, digits, '.', ',', '_'
    std::vector<std::size_t> address_end_;    // what may stand in an e-mail address or URL
    std::vector<std::size_t> next_at_;        // next '@'
    std::vector<std::size_t> word_run_end_;   // letters and digits
    std::vector<std::size_t> letter_run_end_;
};

// Whether these letters, followed by a period, are an abbreviation that keeps it. number_follows: before a number.
bool is_abbreviation(std::u32string_view letters, bool number_follows);
// Whether a capitalised word usually starts a sentence, so that the single letter and period before it end one.
bool starts_sentence(std::u32string_view word);
// Punctuation and symbols outside ASCII: the token, empty if the character is dropped. Not for letters and digits.
std::u32string symbol_token(char32_t c);
bool is_word_character(char32_t c);

}    // namespace blip

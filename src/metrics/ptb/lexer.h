// The scanner behind ptb_tokenize: at each place every rule proposes a length, the longest wins, the earlier rule on
// ties. Rules look at runs of characters of one kind; a run's end is remembered, so that a rule which asks again from
// the run's next character costs nothing: time is linear on any input.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace blip {

// Kinds of characters, as bits.
enum CharKind : std::uint16_t {
    char_space = 1,
    char_word = 2,       // letter or digit of any script
    char_digit = 4,      // 0-9
    char_latin = 8,      // A-Z a-z
    char_letter = 16,    // char_word without char_digit
    char_dotted = 32,    // ASCII letter or digit, '.' or ','
    char_path = 64,      // may stand in the path behind a host
    char_url = 128,      // may follow http://
    char_email = 256,    // may stand in an e-mail address
    char_www = 512,      // may stand in a host's name after www.
    char_label = 1024    // may stand in the name of another host
};
inline constexpr int char_kind_count = 11;
std::uint16_t char_kinds(char32_t c);

// Splits one caption. Keeps punctuation tokens and upper case; brackets are already "-LRB-" and its kin in lower case.
class PtbLexer {
  public:
    // context: text from there on belongs to the next caption and is looked at only. text must outlive the lexer.
    PtbLexer(std::u32string_view text, std::size_t context);
    // Calls sink(std::u32string_view token) for each token in order.
    template <class Sink>
    void scan(Sink&& sink) {
        std::u32string token;
        for (std::size_t i = 0; i < context_;) {
            const Match match = best_match(i);
            for (int part = 0; part < 2; ++part) {
                token.clear();
                spell(i, match, part, token);
                if (!token.empty()) sink(std::u32string_view(token));
            }
            i += match.length;
        }
    }

  private:
    // How a match's characters become its tokens.
    enum class Spelling : std::uint8_t {
        none,         // no token
        as_is,        // one token, or two where split is set
        literal,      // the rule's own text
        spaced,       // spaces become no-break spaces
        bracketed,    // and round brackets their names
        quoted,       // quotation marks become ASCII
        ampersand     // &amp; becomes &
    };
    // One rule's proposal: how many characters it takes (0: none) and how many more it looked at; those count when
    // rules are compared.
    struct Match {
        std::size_t length = 0;
        std::size_t ahead = 0;
        std::size_t split = 0;    // length of the first of two tokens
        Spelling spelling = Spelling::as_is;
        std::u32string_view literal{};
    };
    using Rule = Match (PtbLexer::*)(std::size_t) const;
    // The last run of one kind that was asked for: [begin, end).
    struct Run {
        std::size_t begin = 0, end = 0;
    };
    // The last chain of labels and single periods that was asked for. Whatever rule starts at i < mark - 1 ends at
    // best.
    struct Chain {
        std::size_t begin = 0, end = 0, mark = 0, best = 0;
        bool holds(std::size_t i) const { return i >= begin && i < end; }
        std::size_t end_from(std::size_t i) const { return i + 1 < mark ? best : 0; }
    };

    Match best_match(std::size_t i) const;
    void spell(std::size_t i, const Match& match, int part, std::u32string& token) const;

    char32_t at(std::size_t i) const { return i < text_.size() ? text_[i] : U'\0'; }
    bool is(std::size_t i, CharKind kind) const { return i < text_.size() && (kinds_[i] & kind) != 0; }
    bool word_at(std::size_t i) const { return is(i, char_word); }
    bool letter_at(std::size_t i) const { return is(i, char_letter); }
    bool latin_at(std::size_t i) const { return is(i, char_latin); }
    bool digit_at(std::size_t i) const { return is(i, char_digit); }
    bool space_at(std::size_t i) const { return is(i, char_space); }
    bool latin_word_at(std::size_t i) const { return latin_at(i) || digit_at(i); }
    bool apostrophe_at(std::size_t i) const { return at(i) == U'\'' || at(i) == U'\u2019'; }
    // also the marks that users type for an apostrophe inside a word
    bool inner_apostrophe_at(std::size_t i) const;
    bool hyphen_at(std::size_t i) const { return at(i) == U'-' || at(i) == U'\u2010' || at(i) == U'\u2011'; }
    bool starts_with(std::size_t i, std::u32string_view lower) const;    // ASCII case ignored, a curly ' is a '
    std::size_t contraction_size(std::size_t i) const;                   // of 's 'd 'm 'll 're 've
    bool ends_in_contraction(std::size_t i) const;
    Match before_contraction(std::size_t begin, std::size_t end) const;

    // Ends of runs that begin at i; i itself if there is none.
    std::size_t kind_end(std::size_t i, CharKind kind) const;
    std::size_t letters_end(std::size_t i) const { return kind_end(i, char_letter); }
    std::size_t latin_end(std::size_t i) const { return kind_end(i, char_latin); }
    std::size_t latin_words_end(std::size_t i) const;
    std::size_t words_end(std::size_t i) const { return kind_end(i, char_word); }
    std::size_t joined_words_end(std::size_t i) const;    // a_b_c
    std::size_t digits_end(std::size_t i) const { return kind_end(i, char_digit); }
    std::size_t space_end(std::size_t i) const { return kind_end(i, char_space); }
    std::size_t repeats_end(std::size_t i) const;    // run of one character
    // One token as it stands; none if end <= begin.
    Match whole(std::size_t begin, std::size_t end) const { return {end > begin ? end - begin : 0}; }

    Match entity(std::size_t i) const;
    Match tag(std::size_t i) const;
    Match url(std::size_t i) const;
    Match www_host(std::size_t i) const;
    Match host(std::size_t i) const;
    std::size_t trimmed(std::size_t begin, std::size_t end) const;
    std::size_t path_end(std::size_t i) const;
    Match email(std::size_t i) const;
    Match handle(std::size_t i) const;
    Match file_name(std::size_t i) const;
    Match contraction(std::size_t i) const;
    Match apostrophe(std::size_t i) const;
    Match apostrophe_word(std::size_t i) const;
    std::size_t elided_end(std::size_t i) const;
    Match abbreviation(std::size_t i) const;
    Match acronym(std::size_t i) const;
    Match stopped_word(std::size_t i) const;
    Match dotted_word(std::size_t i) const;
    Match hyphenated(std::size_t i) const;
    Match dotted_hyphenated(std::size_t i) const;
    Match slashed(std::size_t i) const;
    Match ampersand_word(std::size_t i) const;
    Match word(std::size_t i) const;
    Match number(std::size_t i) const;
    Match date(std::size_t i) const;
    Match fraction(std::size_t i) const;
    Match phone(std::size_t i) const;
    std::size_t phone_tail(std::size_t begin) const;
    Match money(std::size_t i) const;
    Match emoticon(std::size_t i) const;
    Match quotes(std::size_t i) const;
    Match punctuation(std::size_t i) const;
    Match symbol(std::size_t i) const;

    std::u32string_view text_;
    std::size_t context_;
    std::vector<std::uint16_t> kinds_;    // bits of CharKind for each character
    mutable std::array<Run, char_kind_count> runs_{};
    mutable Chain host_chain_{}, email_chain_{}, file_chain_{};
};

inline bool is_one_of(char32_t c, std::u32string_view set) {
    return c != 0 && set.find(c) != std::u32string_view::npos;
}
inline constexpr char32_t soft_hyphen = 0xad;
inline char32_t lower_ascii(char32_t c) { return c >= U'A' && c <= U'Z' ? c + 32 : c; }

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
// Whether letters are the ending of a file's name: html, txt.
bool is_file_ending(std::u32string_view letters);
// Punctuation and symbols outside ASCII that become another token; empty for all others.
std::u32string_view symbol_token(char32_t c);
bool is_kept_symbol(char32_t c);    // a token as it stands
bool is_word_character(char32_t c);
bool is_space(char32_t c);

}    // namespace blip

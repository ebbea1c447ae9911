// The words of a caption for METEOR. The rules are those seen in the oracle's counts and matches, one character of
// context to either side; where it uses up that character, so that it cannot be the context of the next sign of the
// same kind, this is done alike: "a-b-c" is "a" and "b-c".
#include "src/metrics/meteor/words.h"

#include <algorithm>

#include "blip/text/unicode.h"

namespace blip {
namespace {

// Stand in the text for several characters: two hyphens, and stop_run + n for n periods.
constexpr char32_t hyphen_pair = 0x110000, stop_run = 0x110000;
constexpr char32_t gap = 0xA0;    // a space of another kind than ASCII's: no word, but something between words

bool is_digit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool is_latin(char32_t c) { return (c | 0x20) >= U'a' && (c | 0x20) <= U'z'; }
// Of Latin and Cyrillic script only; letters of others stand alone.
bool is_letter(char32_t c) {
    if (c < 0x80) return is_latin(c);
    return (c >= 0xC0 && c <= 0x17E && c != 0xD7 && c != 0xF7) || (c >= 0x400 && c <= 0x527) ||
           (c >= 0x1D00 && c <= 0x1D7F) || (c >= 0xA640 && c <= 0xA66E) || (c >= 0xA67E && c <= 0xA697);
}
bool is_space(char32_t c) { return c == U' ' || (c >= U'\t' && c <= U'\r'); }
bool is_gap(char32_t c) {
    return c == gap || c == 0x202F || c == 0x205F || c == 0x3000 || (c >= 0x2000 && c <= 0x200A);
}
bool is_apostrophe(char32_t c) { return c == U'\'' || c == U'`' || c == 0x2018 || c == 0x2019; }
char32_t plain_sign(char32_t c) {
    if (c == 0x201C || c == 0x201D) return U'"';
    if (c == 0x2013) return U'-';
    return is_gap(c) ? gap : c;
}

void append(char32_t c, std::string& text) {
    if (c == hyphen_pair)
        text += '-';
    else if (c > stop_run)
        text.append(c - stop_run, '.');
    else
        append_utf8(c, text);
}

// Letters and digits of ASCII alone: no rule below changes such a word, whatever stands beside it.
bool is_plain(const std::string& token) {
    return !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return is_latin(byte) || is_digit(byte);
    });
}

// The caption with one space where there were several, every sign that no rule below looks at between spaces, and
// two quotation marks as one.
std::u32string spread(const Tokens& tokens) {
    std::u32string raw, text;
    for (const std::string& token : tokens) {
        if (!raw.empty()) raw += U' ';
        raw += to_code_points(token);
    }
    text.reserve(raw.size() + raw.size() / 8);
    const auto space = [&] {
        if (!text.empty() && text.back() != U' ') text += U' ';
    };
    const auto apart = [&](char32_t sign) {
        space();
        text += sign;
        text += U' ';
    };
    for (std::size_t i = 0; i < raw.size();) {
        const char32_t c = raw[i];
        std::size_t same = 1;    // characters like this one, up to two, or all periods
        const auto alike = [&](char32_t other) {
            return c == U'.' || c == U'-' ? other == c : is_apostrophe(c) && is_apostrophe(other);
        };
        while (i + same < raw.size() && (same < 2 || c == U'.') && alike(raw[i + same])) ++same;
        i += same;
        if (is_space(c)) {
            space();
        } else if (is_letter(c) || is_digit(c) || c == U',') {
            text += c;
        } else if (is_apostrophe(c)) {
            if (same == 2)
                apart(U'"');
            else
                text += U'\'';
        } else if (c == U'-') {
            text += same == 2 ? hyphen_pair : c;
        } else if (c == U'.') {
            if (same > 1)
                apart(stop_run + static_cast<char32_t>(same));
            else
                text += c;
        } else {
            apart(plain_sign(c));
        }
    }
    return text;
}

class Splitter {
  public:
    explicit Splitter(std::u32string text) : text_(std::move(text)) {}

    std::vector<std::string> pieces() && {
        for (at_ = 0; at_ < text_.size(); ++at_) {
            const char32_t c = text_[at_];
            if (c == U' ')
                end();
            else if (c == U',')
                comma();
            else if (c == U'\'')
                apostrophe();
            else if ((c == U'-' || c == hyphen_pair) && parts_words())
                end();
            else
                append(c, piece_);
        }
        end();
        return std::move(pieces_);
    }

  private:
    static constexpr std::size_t never = static_cast<std::size_t>(-2);

    char32_t before() const { return at_ > 0 ? text_[at_ - 1] : U' '; }
    char32_t after() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : U' '; }
    void end() {
        if (!piece_.empty()) pieces_.push_back(std::move(piece_));
        piece_.clear();
    }
    void apart() {
        end();
        append(text_[at_], piece_);
        end();
    }

    // Stays within a number only.
    void comma() {
        const bool number_before = is_digit(before()), number_after = is_digit(after());
        const bool used = !number_before && !number_after && (comma_used_ == at_ || comma_used_ + 1 == at_);
        if ((number_before && number_after) || used) {
            piece_ += ',';
            return;
        }
        if (!number_before && !number_after) comma_used_ = after() == hyphen_pair ? never : at_ + 1;
        apart();
    }

    // Between letters it begins the second word.
    void apostrophe() {
        const bool letter_before = is_letter(before()), letter_after = is_letter(after());
        if (letter_after && letter_before) {
            if (letter_used_ + 1 != at_) {
                letter_used_ = at_ + 1;
                end();
            }
            piece_ += '\'';
        } else if (letter_after && is_digit(before())) {
            if (after() == U's') end();
            piece_ += '\'';
        } else if (!letter_after && !letter_before) {
            if (sign_used_ + 1 == at_) {
                piece_ += '\'';
                return;
            }
            // (a comma that will stand apart has its own space before it)
            if (after() != U',' || comma_used_ == at_) sign_used_ = at_ + 1;
            apart();
        } else {
            apart();
        }
    }

    // Whether a hyphen here stands between two words, and so for a space.
    bool parts_words() {
        const bool word_before = is_letter(before()) || is_digit(before()) || before() == U'.';
        const bool word_after = is_letter(after()) || is_digit(after());
        if (piece_.empty() || !word_before || !word_after || hyphen_used_ + 1 == at_) return false;
        hyphen_used_ = at_ + 1;
        return true;
    }

    std::u32string text_;
    std::size_t at_ = 0;
    std::string piece_;
    std::vector<std::string> pieces_;
    // by kind of sign, the place after the last one that used it as its context
    std::size_t comma_used_ = never, letter_used_ = never, sign_used_ = never, hyphen_used_ = never;
};

enum class Stop { none, within, apart };

// What becomes of the period at the end of a piece: none to the reader of "a.m.", kept before a word that goes on in
// lower case and in these abbreviations, else a word of its own.
Stop stop_of(std::string_view piece, std::string_view next) {
    if (piece.size() < 2 || piece.back() != '.' || piece.find_first_not_of('.') == piece.npos) return Stop::within;
    piece.remove_suffix(1);
    const bool has_letter = std::any_of(piece.begin(), piece.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= 0x80 || is_latin(byte);
    });
    if (has_letter && piece.find('.') != piece.npos) return Stop::none;
    if (!next.empty() && next.front() >= 'a' && next.front() <= 'z') return Stop::within;
    if (piece == "v" || piece == "vs" || piece == "rev") return Stop::within;
    if (piece == "pp" && !next.empty() && is_digit(static_cast<unsigned char>(next.front()))) return Stop::within;
    return Stop::apart;
}

}    // namespace

std::vector<std::string> meteor_words(const Tokens& tokens) {
    if (std::all_of(tokens.begin(), tokens.end(), is_plain)) return tokens;    // so are most captions
    std::vector<std::string> pieces = Splitter(spread(tokens)).pieces(), words;
    words.reserve(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        std::string& piece = pieces[i];
        if (piece == "\u00A0") continue;
        const Stop stop = stop_of(piece, i + 1 < pieces.size() ? std::string_view(pieces[i + 1]) : std::string_view());
        if (stop == Stop::none) std::erase(piece, '.');
        if (stop == Stop::apart) piece.pop_back();
        words.push_back(std::move(piece));
        if (stop == Stop::apart) words.emplace_back(".");
    }
    return words;
}

}    // namespace blip

// Word lists and character classes of the PTB tokens, as observed on the oracle, one word and one character at a time.
#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>
#include <string>
#include <unordered_set>

#include "blip/text/unicode.h"
#include "src/metrics/ptb/lexer.h"

namespace blip {
namespace {

// Keep their period in any case: mr. Mr. MR.
constexpr std::string_view titles =
    "mr mrs ms dr drs prof profs rev hon gov govs sen sens rep reps gen col lt lieut sgt capt cmdr maj cpl pvt pfc sfc "
    "spc ens adm st ste mt ft ave dept vs cf ph asst assoc natl messrs msgr mme mlle elec cie pres supt supts insp det "
    "comdr brig adj adv treas atty attys invt alex jos wm";
constexpr std::string_view abbreviations =
    "blvd rd ct sq bldg est etc al inc co corp ltd plc bhd bros jr sr esq md "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri mo ext tel seq sys assn univ intl "
    "ala ariz calif colo conn dak fla ga ind kan kans ky mich minn mont neb nev okla penn tenn vt va wis wisc wyo cos "
    "rt";
// None of these in capitals: mfg. Mfg. but not MFG., since f or t has to be a small letter; likewise e or y of Pte.
// Pty.
constexpr std::string_view small_titles = "mfg mtg";
constexpr std::string_view small_abbreviations = "pte ptes ppte pptes pty ptys ppty pptys";
// Words of their own in lower case: Mass. but mass
constexpr std::string_view capitalised_abbreviations = "ark az del ill la mass miss ore pa tex wash";
// Keep it before a number only: no. 5
constexpr std::string_view numeric_abbreviations = "fig figs no nos op pp art ca prop";
constexpr std::string_view sentence_starters =
    "a about according additionally after an as at but earlier he her here however if in it last many more now once "
    "one other our she since "
    "so some "
    "such that the their then there these they this we what when while yet you";

constexpr std::string_view file_endings =
    "bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py sql "
    "tar txt wav x xml zip";

using WordSet = std::unordered_set<std::string>;

WordSet split(std::string_view list) {
    std::istringstream words{std::string(list)};
    return {std::istream_iterator<std::string>(words), {}};
}

// ASCII letters only; empty for anything else or for long words.
std::string lower_word(std::u32string_view word) {
    const std::string text = word.size() > 12 ? "" : to_utf8(word);
    return is_ascii(text) ? lower_case(text) : "";
}

struct Range {
    char16_t first, last;
};
// Symbols that are tokens of their own. Anything else that is no letter, digit or known punctuation is dropped.
constexpr std::array kept_symbols{
    Range{0xa1, 0xa1},     Range{0xa5, 0xa9},     Range{0xac, 0xac},     Range{0xae, 0xb4},     Range{0xb6, 0xb9},
    Range{0xbf, 0xbf},     Range{0xd7, 0xd7},     Range{0xf7, 0xf7},     Range{0x37e, 0x37e},   Range{0x387, 0x387},
    Range{0x589, 0x589},   Range{0x5be, 0x5be},   Range{0x5c0, 0x5c0},   Range{0x5c3, 0x5c3},   Range{0x5c6, 0x5c6},
    Range{0x5f3, 0x5f4},   Range{0x600, 0x603},   Range{0x606, 0x60c},   Range{0x614, 0x614},   Range{0x61b, 0x61b},
    Range{0x61e, 0x61f},   Range{0x66a, 0x66a},   Range{0x66d, 0x66d},   Range{0x6d4, 0x6d4},   Range{0x700, 0x70d},
    Range{0x7f6, 0x7f8},   Range{0x964, 0x965},   Range{0xe3f, 0xe3f},   Range{0xe4f, 0xe4f},   Range{0x1fbd, 0x1fbd},
    Range{0x2016, 0x2017}, Range{0x201a, 0x201a}, Range{0x201e, 0x2023}, Range{0x2030, 0x2038}, Range{0x203b, 0x203b},
    Range{0x203e, 0x2042}, Range{0x2044, 0x2044}, Range{0x2070, 0x2070}, Range{0x2074, 0x207e}, Range{0x2080, 0x208e},
    Range{0x20a4, 0x20a4}, Range{0x2100, 0x2101}, Range{0x2103, 0x2106}, Range{0x2108, 0x2109}, Range{0x2114, 0x2114},
    Range{0x2116, 0x2118}, Range{0x211e, 0x2123}, Range{0x2125, 0x2125}, Range{0x2127, 0x2127}, Range{0x2129, 0x2129},
    Range{0x212e, 0x212e}, Range{0x213a, 0x213b}, Range{0x2140, 0x2144}, Range{0x214a, 0x214d}, Range{0x214f, 0x214f},
    Range{0x2155, 0x215e}, Range{0x2190, 0x2bff}, Range{0x3001, 0x3002}, Range{0x3012, 0x3012}, Range{0x30fb, 0x30fb},
    Range{0xff01, 0xff0f}, Range{0xff1a, 0xff20}, Range{0xff3b, 0xff40}, Range{0xff5b, 0xff65}, Range{0xffe0, 0xffe1},
    Range{0xffe5, 0xffe6}};

// Marks (and a few others) that belong to words; of letters and digits those which Unicode 6.1 knew do.
constexpr std::array word_marks{
    Range{0x2c2, 0x379}, Range{0x384, 0x385}, Range{0x3f6, 0x3f6}, Range{0x483, 0x487}, Range{0x55a, 0x55f},
    Range{0x58a, 0x58a}, Range{0x591, 0x5bd}, Range{0x5bf, 0x5bf}, Range{0x5c1, 0x5c2}, Range{0x5c4, 0x5c5},
    Range{0x5c7, 0x5c7}, Range{0x615, 0x61a}, Range{0x64b, 0x65e}, Range{0x670, 0x670}, Range{0x6d6, 0x6fe},
    Range{0x70f, 0x7b0}, Range{0x7eb, 0x7f3}, Range{0x900, 0x903}, Range{0x93c, 0x94e}, Range{0x951, 0x955},
    Range{0x962, 0x963}, Range{0x981, 0x983}, Range{0x9bc, 0x9c4}, Range{0x9c7, 0x9c8}, Range{0x9cb, 0x9cd},
    Range{0x9d7, 0x9d7}, Range{0x9e2, 0x9e3}, Range{0xa01, 0xa03}, Range{0xa3c, 0xa3c}, Range{0xa3e, 0xa4f},
    Range{0xa81, 0xa83}, Range{0xabc, 0xacf}, Range{0xb82, 0xb82}, Range{0xbbe, 0xbc2}, Range{0xbc6, 0xbc8},
    Range{0xbca, 0xbcd}, Range{0xc01, 0xc03}, Range{0xc3e, 0xc56}, Range{0xd3e, 0xd44}, Range{0xd46, 0xd48},
    Range{0xe31, 0xe3a}, Range{0xe47, 0xe4e}, Range{0xeb1, 0xebc}, Range{0xec8, 0xecd}, Range{0x1885, 0x1886}};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t c) {
    const auto found = std::lower_bound(ranges.begin(), ranges.end(), c,
                                        [](const Range& range, char32_t value) { return range.last < value; });
    return found != ranges.end() && found->first <= c;
}

}    // namespace

Abbreviation find_abbreviation(std::u32string_view letters) {
    static const WordSet title = split(titles);
    static const WordSet plain = split(abbreviations);
    static const WordSet small_title = split(small_titles);
    static const WordSet small_plain = split(small_abbreviations);
    static const WordSet capitalised = split(capitalised_abbreviations);
    static const WordSet numeric = split(numeric_abbreviations);
    const std::string lower = lower_word(letters);
    if (lower.empty()) return Abbreviation::none;
    const auto small = [&](std::size_t letter) { return letters[letter] >= U'a' && letters[letter] <= U'z'; };
    if (title.contains(lower) || (small_title.contains(lower) && small(1))) return Abbreviation::title;
    if (small_plain.contains(lower) && small(lower.find_first_of("ey"))) return Abbreviation::plain;
    if (plain.contains(lower) || (!small(0) && capitalised.contains(lower))) return Abbreviation::plain;
    return numeric.contains(lower) ? Abbreviation::number : Abbreviation::none;
}

bool starts_sentence(std::u32string_view word) {
    static const WordSet starters = split(sentence_starters);
    return !word.empty() && word[0] >= U'A' && word[0] <= U'Z' && starters.contains(lower_word(word));
}

bool is_file_ending(std::u32string_view letters) {
    static const WordSet endings = split(file_endings);
    return endings.contains(lower_word(letters));
}

std::u32string_view symbol_token(char32_t c) {
    struct Written {
        std::u32string_view symbols, token;
    };
    // (the first ones are what Windows' code page has at these places)
    static constexpr Written written[] = {
        {U"\x80\xa4\x20a0\x20ac", U"$"},
        {U"\xa2", U"cents"},
        {U"\xa3", U"#"},
        {U"\xbc", U"1/4"},
        {U"\xbd", U"1/2"},
        {U"\xbe", U"3/4"},
        {U"\x2153", U"1/3"},
        {U"\x2154", U"2/3"},
        {U"\x85\x2026", U"..."},
        {U"\x96\x97\x2013\x2014\x2015", U"--"},
        {U"\x91\x2018\x201b\x2039", U"`"},
        {U"\x92\x2019\x203a", U"'"},
        {U"\x93\xab\x201c", U"``"},
        {U"\x94\xbb\x201d", U"''"},
    };
    if (c < 0x80) return {};
    for (const auto& [symbols, token] : written)
        if (symbols.find(c) != symbols.npos) return token;
    return {};
}

bool is_kept_symbol(char32_t c) { return is_in(kept_symbols, c); }

bool is_space(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; }

// Of the basic plane only: the oracle drops what lies beyond it. A soft hyphen belongs to its word and is left out.
bool is_word_character(char32_t c) {
    if (c < 0x80) return (c >= U'0' && c <= U'9') || (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z');
    if (c > 0xFFFF || !symbol_token(c).empty() || is_kept_symbol(c)) return false;
    if (c == soft_hyphen || is_in(word_marks, c)) return true;
    UVersionInfo version{};
    u_charAge(static_cast<UChar32>(c), version);
    const bool known = version[0] < 6 || (version[0] == 6 && version[1] <= 1);
    return known && (category_mask(c) & (U_GC_L_MASK | U_GC_ND_MASK)) != 0;
}

std::uint16_t char_kinds(char32_t c) {
    // what may not stand in addresses; any other character may
    constexpr std::u32string_view blanks = U" \t\n\f\r", marks = U"\"<>|", round = U"()", curly = U"{}";
    static constexpr auto compute = [=](char32_t x) {
        unsigned kinds = 0;
        const bool digit = x >= U'0' && x <= U'9', capital = x >= U'A' && x <= U'Z';
        const bool latin = capital || (x >= U'a' && x <= U'z');
        if (is_space(x)) kinds |= char_space;
        if (digit) kinds |= char_digit;
        if (latin) kinds |= char_latin;
        if (is_word_character(x)) kinds |= digit ? char_word : char_word | char_letter;
        if (digit || latin || x == U'.' || x == U',') kinds |= char_dotted;
        if (is_one_of(x, blanks)) return kinds;
        const bool mark = is_one_of(x, marks) || is_one_of(x, round), brace = is_one_of(x, curly);
        if (!mark) kinds |= char_path;
        if (!mark && !brace) kinds |= char_url;
        if (!mark && !brace && x != 0xa0) kinds |= char_email;
        if (is_one_of(x, U"\"<>|(){}.,?!") == false) kinds |= char_www;
        if (x > 0x7e || (!digit && !capital && !is_one_of(x, U"!\"$'(),-./:;<=>?@[\\]^_`{|}"))) kinds |= char_label;
        return kinds;
    };
    static const std::array<std::uint16_t, 0x100> table = [] {
        std::array<std::uint16_t, 0x100> kinds{};
        for (char32_t x = 0; x < kinds.size(); ++x) kinds[x] = static_cast<std::uint16_t>(compute(x));
        return kinds;
    }();
    return c < table.size() ? table[c] : static_cast<std::uint16_t>(compute(c));
}

}    // namespace blip

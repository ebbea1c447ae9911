// Tokens as the oracle gives them, line by line; time that grows with the length and no faster; no input that breaks
// it.
#include "blip/metrics/ptb_tokenizer.h"
#include "blip/metrics/coco_tokens.h"

#include <boost/test/unit_test.hpp>
#include <ctime>
#include <nlohmann/json.hpp>

#include "blip/base/random.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

std::string join(const std::vector<std::string>& tokens) {
    std::string text;
    for (const std::string& token : tokens) text += (text.empty() ? "" : " ") + token;
    return text;
}

// CPU time, which other programs' work does not change.
double seconds_for(const std::string& unit, std::size_t length_bytes) {
    std::string text;
    while (text.size() < length_bytes) text += unit;
    const std::clock_t start = std::clock();
    const auto tokens = ptb_tokenize(text);
    const auto ticks = std::clock() - start;
    BOOST_TEST(tokens.size() <= text.size());
    return static_cast<double>(ticks) / CLOCKS_PER_SEC;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(ptb_tokenizer)

// tests/reference/make_ptb_tokens.py: each rule by hand, then lines drawn from captions, contractions, abbreviations,
// numbers, addresses, quotes, brackets, symbols.
BOOST_AUTO_TEST_CASE(lines_equal_the_oracle) {
    const nlohmann::json rows = read_json(repository_root() / "tests/golden/data/ptb_tokens.json");
    BOOST_TEST(rows.size() > 700u);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::string next = i + 1 < rows.size() ? rows[i + 1].at("line").get<std::string>() : "";
        BOOST_TEST(join(ptb_tokenize(rows[i].at("line").get<std::string>(), next)) ==
                   rows[i].at("tokens").get<std::string>());
    }
}

BOOST_AUTO_TEST_CASE(next_caption_decides_about_a_last_letter) {
    BOOST_TEST(join(ptb_tokenize("a sign that reads K.", "A dog")) == "a sign that reads k");
    BOOST_TEST(join(ptb_tokenize("a sign that reads K.", "dog")) == "a sign that reads k.");
    BOOST_TEST(join(ptb_tokenize("a sign that reads K.")) == "a sign that reads k");
    // nothing of the next caption becomes a token
    BOOST_TEST(join(ptb_tokenize("x <b", "c>")) == "x < b");
    BOOST_TEST(join(ptb_tokenize("1", "1/2")) == "1");
    BOOST_TEST(ptb_tokenize("", "dog").empty());
    BOOST_TEST(ptb_tokenize(" . , ! ", "dog").empty());
}

// The oracle looks through blank lines.
BOOST_AUTO_TEST_CASE(the_next_word_decides_however_far_it_is) {
    const std::string far(70, ' ');
    const std::vector<std::string> captions = {"a big letter K.", "",          " \t", far,   "\u3000\u00a0",
                                               far + "The dog",   "letter K.", "",    "dog", "x K."};
    const std::vector<std::string_view> text(captions.begin(), captions.end());
    const std::vector<Tokens> tokens = coco_tokens(text, 2);
    BOOST_TEST(join(tokens[0]) == "a big letter k");
    BOOST_TEST(join(tokens[6]) == "letter k.");
    BOOST_TEST((coco_tokens(text, 0, 2, 1) == std::vector<Tokens>{tokens[0], tokens[1]}));
    BOOST_TEST(coco_tokens(text, 10, 10, 1).empty());
    const std::vector<std::string> blank(100000, "");    // in linear time
    BOOST_TEST(coco_tokens(std::vector<std::string_view>(blank.begin(), blank.end()), 1).size() == blank.size());
}

// Ten megabytes of one thing take twice as long as five.
BOOST_AUTO_TEST_CASE(time_is_linear_on_hostile_captions) {
    for (const char* unit : {"'", ".", "-", "<", "a.", "1,", "&", "\xcc\x81", "\xff\xc3", "@", "/", "a"}) {
        const double half = seconds_for(unit, 5000000), all = seconds_for(unit, 10000000);
        BOOST_TEST(all < 4 * half + 0.1, unit << ": " << half << " s and " << all << " s");
    }
}

BOOST_AUTO_TEST_CASE(time_is_linear_whatever_is_repeated) {
    for (const char* unit : {"a-",      "<a ",      "a'",      "1/",   "...",  "$",      "1 ",    "(55",    "n't",
                             "<a b=\"", "x;@,",     "a@,,,,",  "a*",   "*a.",  "a.com",  "5a.",   "www.*.", "%www.*.5",
                             "a@b..",   "http://.", "a.com/,", "a_b-", "x.!?", "&amp;A", "m. <b "}) {
        const double small = seconds_for(unit, 100000), large = seconds_for(unit, 800000);
        // quadratic time would be 64 times as long; linear is 8
        BOOST_TEST(large < 24 * small + 0.05, unit << ": " << small << " s and " << large << " s");
    }
}

BOOST_AUTO_TEST_CASE(random_text_never_breaks_it) {
    RandomStream stream(random_key(9, RandomPurpose::sampling));
    const std::string marks = "aA1b '\".,;:!?()[]{}<>/&$#@*_-+=~`^|\\%\xc3\xa9\xe2\x80\x99\xc2\xa0nts";
    for (int round = 0; round < 5000; ++round) {
        std::string text;
        for (std::uint64_t n = stream.below(24); n > 0; --n) text += marks[stream.below(marks.size())];
        for (const std::string& token : ptb_tokenize(text, text)) {
            BOOST_REQUIRE(!token.empty());
            BOOST_REQUIRE(token.find(' ') == std::string::npos);
            for (const char c : token) BOOST_REQUIRE(c < 'A' || c > 'Z');
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

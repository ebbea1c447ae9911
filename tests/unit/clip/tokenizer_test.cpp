// CLIP's byte-level pairs with a small vocabulary, against ids worked out by hand from the published rules. (With a
// larger one they are compared with transformers' own tokenizer: tests/parity.)
#include "src/clip/tokenizer.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/text/unicode.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

using Ids = std::vector<std::int64_t>;

constexpr std::int64_t start = 600, end = 601;

// Bytes that print stand for themselves, the other 68 for U+0100 to U+0143 in their order: written out here as the
// ranges of the others. Ids: the byte, or 256 + the byte at a word's end; merges from 512 on.
nlohmann::json byte_vocabulary() {
    nlohmann::json vocabulary;
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
        const bool other = byte <= 0x20 || (byte >= 0x7F && byte <= 0xA0) || byte == 0xAD;
        std::string name;
        append_utf8(other ? next++ : static_cast<char32_t>(byte), name);
        vocabulary[name] = byte;
        vocabulary[name + "</w>"] = 256 + byte;
    }
    BOOST_TEST((next == 0x144));
    vocabulary["<|startoftext|>"] = start;
    vocabulary["<|endoftext|>"] = end;
    return vocabulary;
}

// 512 "ab", 513 "abc</w>", 514 "bc</w>", 515 "aa", 516 "'s</w>", 517 "Ã¤" (the bytes of an a with two dots)
class Files {
  public:
    Files() {
        nlohmann::json vocabulary = byte_vocabulary();
        std::int64_t id = 512;
        for (const char* token : {"ab", "abc</w>", "bc</w>", "aa", "'s</w>", "\u00C3\u00A4"}) vocabulary[token] = id++;
        write_vocabulary(vocabulary);
        write_merges("#version: 0.2\na b\nab c</w>\nb c</w>\na a\n' s</w>\n\u00C3 \u00A4\n");
    }
    void write_vocabulary(const nlohmann::json& vocabulary) { write_bytes(folder_ / "vocab.json", vocabulary.dump()); }
    void write_merges(const std::string& text) { write_bytes(folder_ / "merges.txt", text); }
    ClipTokenizer tokenizer(std::int64_t words = 602) const { return {folder_.path(), words}; }
    // without the tokens at both ends
    Ids ids(std::string_view text) const {
        Ids found = tokenizer().encode(text, 77);
        BOOST_TEST(found.front() == start);
        BOOST_TEST(found.back() == end);
        return {found.begin() + 1, found.end() - 1};
    }
    std::string refusal(std::int64_t words = 602) const {
        try {
            tokenizer(words);
        } catch (const Error& error) {
            BOOST_TEST((error.code() == ExitCode::bad_data));
            return error.what();
        }
        return "";
    }

  private:
    TempDir folder_;
};

constexpr std::int64_t last(char c) { return 256 + c; }

BOOST_AUTO_TEST_SUITE(clip_tokenizer)

BOOST_AUTO_TEST_CASE(pairs_are_joined_in_the_order_in_which_they_were_learnt) {
    const Files files;
    BOOST_TEST((files.ids("abc") == Ids{513}));    // a b first, though b c</w> is a pair, too
    BOOST_TEST((files.ids("bc") == Ids{514}));
    BOOST_TEST((files.ids("ab") == Ids{'a', last('b')}));    // the b at the end is another token
    BOOST_TEST((files.ids("abab") == Ids{512, 'a', last('b')}));
    BOOST_TEST((files.ids("aaaaz") == Ids{515, 515, last('z')}));    // from the left
    BOOST_TEST((files.ids("aaaz") == Ids{515, 'a', last('z')}));
}

BOOST_AUTO_TEST_CASE(words_are_lower_case_and_white_space_counts_as_one) {
    const Files files;
    BOOST_TEST((files.ids("  ABC\t\n\u00A0\u3000bC ") == Ids{513, 514}));
    BOOST_TEST(files.ids(" \n ").empty());
    BOOST_TEST(files.ids("").empty());
}

BOOST_AUTO_TEST_CASE(endings_digits_and_symbols_stand_apart) {
    const Files files;
    BOOST_TEST((files.ids("x's") == Ids{last('x'), 516}));
    BOOST_TEST((files.ids("x'll") == Ids{last('x'), '\'', 'l', last('l')}));
    BOOST_TEST((files.ids("x 'y") == Ids{last('x'), last('\''), last('y')}));
    BOOST_TEST((files.ids("42b") == Ids{last('4'), last('2'), last('b')}));
    BOOST_TEST((files.ids("z?!z") == Ids{last('z'), '?', last('!'), last('z')}));
    BOOST_TEST((files.ids("!'s") == Ids{'!', last('\''), last('s')}));    // the apostrophe belongs to the symbols
}

BOOST_AUTO_TEST_CASE(other_letters_are_bytes) {
    const Files files;
    const Ids word = {517, last('z')};
    BOOST_TEST((files.ids("\u00E4z") == word));
    BOOST_TEST((files.ids("\u00C4z") == word));                                      // its capital
    BOOST_TEST((files.ids("a\u0308z") == word));                                     // and a with a combining mark
    BOOST_TEST((files.ids("\u03A3\u03A3") == Ids{0xCF, 0x83, 0xCF, 256 + 0x83}));    // no final sigma
    BOOST_TEST((files.ids("\u00B2") == Ids{0xC2, 256 + 0xB2}));                      // a digit, if a small one
}

BOOST_AUTO_TEST_CASE(what_is_too_long_is_cut_before_the_end_token) {
    const Files files;
    ClipTokenizer tokenizer = files.tokenizer();
    BOOST_TEST((tokenizer.encode("bc abc x y z", 5) == Ids{start, 514, 513, last('x'), end}));
    BOOST_TEST((tokenizer.encode("bc abc x", 5) == Ids{start, 514, 513, last('x'), end}));
    BOOST_TEST((tokenizer.encode("bc abab", 4) == Ids{start, 514, 512, end}));
    BOOST_TEST((tokenizer.encode("abc", 2) == Ids{start, end}));
    BOOST_TEST(tokenizer.end_token() == end);
}

BOOST_AUTO_TEST_CASE(files_of_something_else_are_refused) {
    Files files;
    BOOST_TEST(files.refusal().empty());
    BOOST_TEST(files.refusal(601).find("<|endoftext|>") != std::string::npos);    // an id too large
    files.write_merges("a b\nab q\n");
    BOOST_TEST(files.refusal().find("merges.txt: line 2: 'ab q'") != std::string::npos);
    files.write_merges("ab\n");
    BOOST_TEST(files.refusal().find("line 1") != std::string::npos);
    nlohmann::json vocabulary = byte_vocabulary();
    vocabulary.erase("a</w>");
    files.write_vocabulary(vocabulary);
    BOOST_TEST(files.refusal().find("lacks the token 'a</w>'") != std::string::npos);
    vocabulary["a</w>"] = "three";
    files.write_vocabulary(vocabulary);
    BOOST_TEST(files.refusal().find("three") != std::string::npos);
    files.write_vocabulary(nlohmann::json::array());
    BOOST_TEST(files.refusal().find("vocab.json") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

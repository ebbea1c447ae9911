// Clean-up, ids and decoding against rows of the reference and a table made with Python's own text functions.
#include "blip/text/caption_text.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/text/unicode.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

nlohmann::json data(const char* name) { return read_json(repository_root() / "tests/golden/data" / name); }

const WordPieceTokenizer& tokenizer() {
    static const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    static const WordPieceTokenizer instance(vocabulary);
    return instance;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(caption_text)

BOOST_AUTO_TEST_CASE(reference_rows) {
    const nlohmann::json sample = data("text_sample.json");
    for (std::size_t i = 0; i < sample.at("texts").size(); ++i) {
        const std::string text = sample.at("texts")[i];
        BOOST_TEST(pre_caption(text) == sample.at("pre_caption")[i].get<std::string>());
        const auto expected = sample.at("ids")[i].get<std::vector<TokenId>>();
        BOOST_TEST(caption_tokens(tokenizer(), text) == expected, boost::test_tools::per_element());
    }
    for (std::size_t i = 0; i < sample.at("generated").size(); ++i) {
        BOOST_TEST(decode_caption(tokenizer(), sample.at("generated")[i].get<std::vector<TokenId>>()) ==
                   sample.at("captions")[i].get<std::string>());
    }
}

// Made by tests/reference/make_text_table.py.
BOOST_AUTO_TEST_CASE(odd_strings_as_in_python) {
    const nlohmann::json table = data("python_text.json");
    BOOST_TEST(table.at("rows").size() > 100u);
    for (const auto& row : table.at("rows")) {
        BOOST_TEST_CONTEXT(row.at("text").dump(-1, ' ', true)) {
            const std::string text = row.at("text");
            BOOST_TEST(lower_case(text) == row.at("lower").get<std::string>());
            BOOST_TEST(pre_caption(text) == row.at("pre_caption").get<std::string>());
            const auto expected = row.at("ids").get<std::vector<TokenId>>();
            BOOST_TEST(tokenizer().encode(text) == expected, boost::test_tools::per_element());
        }
    }
}

BOOST_AUTO_TEST_CASE(words_are_limited) {
    BOOST_TEST(pre_caption("a b c d", 2) == "a b");
    BOOST_TEST(pre_caption("a b", 2) == "a b");
    BOOST_TEST(pre_caption("a b", 0).empty());
    // only U+0020 separates words here
    BOOST_TEST(pre_caption("a\tb c", 1) == "a\tb");
}

BOOST_AUTO_TEST_CASE(prompt_is_four_tokens) {
    const std::vector<TokenId> expected{SpecialTokens::dec, 1037, 3861, 1997};
    BOOST_TEST(prompt_tokens(tokenizer()) == expected, boost::test_tools::per_element());
    const std::vector<TokenId> none{SpecialTokens::dec};
    BOOST_TEST(prompt_tokens(tokenizer(), "") == none, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(long_captions_keep_their_end_token) {
    std::string text;
    for (int i = 0; i < 30; ++i) text += "skateboarding-zebras ";
    const auto ids = caption_tokens(tokenizer(), text);
    BOOST_TEST(ids.size() == static_cast<std::size_t>(max_caption_tokens));
    BOOST_TEST(ids.front() == SpecialTokens::dec);
    BOOST_TEST(ids.back() == SpecialTokens::sep);
}

BOOST_AUTO_TEST_CASE(decoding_joins_and_cleans) {
    const auto& vocabulary = tokenizer().vocabulary();
    std::vector<TokenId> ids{SpecialTokens::dec};
    for (const char* word :
         {"a", "picture", "of", "a", "dog", "'", "s", "toy", ",", "isn", "'", "t", "skate", "##board", "##ing", "?"}) {
        ids.push_back(vocabulary.id(word));
        BOOST_REQUIRE(ids.back() >= 0);
    }
    for (const TokenId special : {SpecialTokens::unk, SpecialTokens::sep, SpecialTokens::pad, SpecialTokens::enc})
        ids.push_back(special);
    BOOST_TEST(decode_caption(tokenizer(), ids) == "a dog's toy, isn't skateboarding?");
    // shorter than the prompt
    BOOST_TEST(decode_caption(tokenizer(), {SpecialTokens::dec, vocabulary.id("a")}).empty());
    // prompts that come back from their tokens with other spaces
    for (const char* prompt :
         {"", "a picture of ", "x-ray of ", "a photo (1) of ", "3.5 ", "\"quoted\" ", "a -- ", "  two  spaces ",
          "Frankfurt/Main ", "one,two ", "\u4e2d\u6587 ", "it's a ", "what?! "}) {
        std::vector<TokenId> behind = prompt_tokens(tokenizer(), prompt);
        for (const char* word : {"laptop", "and", "mouse"}) behind.push_back(vocabulary.id(word));
        BOOST_TEST(decode_caption(tokenizer(), behind, prompt) == "laptop and mouse", prompt);
    }
    BOOST_CHECK_THROW(decode_caption(tokenizer(), {vocabulary_size}), Error);
    BOOST_CHECK_THROW(decode_caption(tokenizer(), {-1}), Error);
}

BOOST_AUTO_TEST_CASE(invalid_utf8_is_found_and_refused) {
    BOOST_TEST(find_invalid_utf8("") == std::string::npos);
    BOOST_TEST(find_invalid_utf8("caf\u00e9 \U0001f600") == std::string::npos);
    BOOST_TEST(find_invalid_utf8("ab\xff") == 2u);
    BOOST_TEST(find_invalid_utf8("\x80") == 0u);
    BOOST_TEST(find_invalid_utf8("a\xc3") == 1u);               // cut off
    BOOST_TEST(find_invalid_utf8("a\xc0\xaf") == 1u);           // longer than it needs to be
    BOOST_TEST(find_invalid_utf8("ok\xed\xa0\x80") == 2u);      // half of a surrogate pair
    BOOST_TEST(find_invalid_utf8("\xf4\x90\x80\x80") == 0u);    // beyond U+10FFFF
    for (const auto& call : {+[] { pre_caption("dog \xff"); }, +[] { tokenizer().encode("dog \xff"); }}) {
        BOOST_CHECK_EXCEPTION(call(), Error, [](const Error& error) {
            return error.code() == ExitCode::bad_data && std::string(error.what()).find("byte 4") != std::string::npos;
        });
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

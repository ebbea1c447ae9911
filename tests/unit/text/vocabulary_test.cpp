// The vocabulary is the right one or is refused with the line that is wrong.
#include <boost/test/unit_test.hpp>

#include "blip/base/error.h"
#include "blip/text/wordpiece.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

void expect_refused(const std::string& content, const std::string& part) {
    BOOST_CHECK_EXCEPTION(Vocabulary::from_text(content, "words.txt"), Error, [&](const Error& error) {
        const std::string message = error.what();
        BOOST_TEST_MESSAGE(message);
        return error.code() == ExitCode::bad_data && message.find("words.txt") == 0 &&
               message.find(part) != std::string::npos;
    });
}

std::string with_line(const std::string& content, std::size_t number, const std::string& line) {
    std::size_t at = 0;
    for (std::size_t i = 1; i < number; ++i) at = content.find('\n', at) + 1;
    return content.substr(0, at) + line + content.substr(content.find('\n', at));
}

}    // namespace

BOOST_AUTO_TEST_SUITE(vocabulary)

BOOST_AUTO_TEST_CASE(words_and_ids_are_inverse) {
    const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    for (TokenId id = 0; id < vocabulary_size; ++id) BOOST_REQUIRE_EQUAL(vocabulary.id(vocabulary.word(id)), id);
    BOOST_TEST(vocabulary.word(SpecialTokens::dec) == "[DEC]");
    BOOST_TEST(vocabulary.id("[ENC]") == SpecialTokens::enc);
    BOOST_TEST(vocabulary.id("[MASK]") == SpecialTokens::mask);
    BOOST_TEST(vocabulary.id("no such word") == -1);
    BOOST_CHECK_THROW(vocabulary.word(vocabulary_size), Error);
    BOOST_TEST((vocabulary.text() == read_bytes(vocabulary_file())));
}

BOOST_AUTO_TEST_CASE(stays_valid_when_moved) {
    Vocabulary first = Vocabulary::from_file(vocabulary_file());
    const Vocabulary second = std::move(first);
    const WordPieceTokenizer tokenizer(second);
    BOOST_TEST(tokenizer.encode("a dog").size() == 4u);
}

BOOST_AUTO_TEST_CASE(line_ends_of_another_system_are_accepted) {
    std::string content;
    for (const char c : read_bytes(vocabulary_file())) content += c == '\n' ? std::string("\r\n") : std::string(1, c);
    BOOST_TEST(Vocabulary::from_text(content, "words.txt").id("dog") ==
               Vocabulary::from_file(vocabulary_file()).id("dog"));
}

BOOST_AUTO_TEST_CASE(wrong_files_are_refused) {
    const std::string content = read_bytes(vocabulary_file());
    expect_refused("", "0 words instead of 30522");
    expect_refused(content + "more\n", "30523 words");
    expect_refused(content.substr(content.find('\n') + 1), "30521 words");
    expect_refused(with_line(content, 102, "[unused]"), "line 102");
    expect_refused(with_line(content, 2000, "the"), "the word 'the'");
    expect_refused(with_line(content, 2000, ""), "line 2000");
    expect_refused(with_line(content, 2000, "[DEC]"), "[DEC]");
    BOOST_CHECK_EXCEPTION(Vocabulary::from_file("/nowhere/vocab.txt"), Error,
                          [](const Error& error) { return error.code() == ExitCode::missing_input; });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

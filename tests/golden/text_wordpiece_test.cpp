// Text against the reference job's own tokenizer: clean-up, token ids and decoded captions of every golden row.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/text/caption_text.h"
#include "blip/text/wordpiece.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

// The captions that the rows of wordpiece.json.gz belong to: in the file itself, or the annotation file in its order.
std::vector<std::string> golden_captions(const nlohmann::json& golden) {
    std::vector<std::string> captions;
    if (golden.at("captions").is_array()) {
        captions = golden.at("captions").get<std::vector<std::string>>();
    } else {
        const nlohmann::json file = read_json(*captions_file());
        for (const auto& annotation : file.at("annotations")) captions.push_back(annotation.at("caption"));
    }
    for (const auto& odd : golden.at("weird")) captions.push_back(odd);
    return captions;
}

// First rows that differ, for the message; the count decides.
template <class Actual>
void expect_rows(const std::vector<std::string>& captions, const nlohmann::json& expected, Actual actual) {
    BOOST_REQUIRE_EQUAL(captions.size(), expected.size());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < captions.size(); ++i) {
        const nlohmann::json got = actual(captions[i]);
        if (got == expected[i]) continue;
        if (++wrong <= 5) {
            BOOST_TEST_MESSAGE("row " << i << ": '" << captions[i] << "' gives " << got.dump() << " instead of "
                                      << expected[i].dump());
        }
    }
    BOOST_TEST_MESSAGE("compared: " << captions.size() - wrong << " of " << captions.size() << " rows are equal");
    BOOST_TEST(wrong == 0u);
}

}    // namespace

BOOST_AUTO_TEST_SUITE(text_wordpiece)

BOOST_AUTO_TEST_CASE(clean_up_equals_reference,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_captions)) {
    const nlohmann::json golden = read_json(golden_file("wordpiece.json.gz"));
    expect_rows(golden_captions(golden), golden.at("pre_caption"),
                [](const std::string& text) { return pre_caption(text); });
}

BOOST_AUTO_TEST_CASE(ids_equal_reference,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_captions)) {
    const nlohmann::json golden = read_json(golden_file("wordpiece.json.gz"));
    const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    const WordPieceTokenizer tokenizer(vocabulary);
    expect_rows(golden_captions(golden), golden.at("ids"),
                [&](const std::string& text) { return caption_tokens(tokenizer, text); });
}

BOOST_AUTO_TEST_CASE(generated_ids_decode_to_the_reference_captions, *boost::unit_test::precondition(has_golden)) {
    const nlohmann::json golden = read_json(golden_file("golden.json.gz")).at("generation");
    const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    const WordPieceTokenizer tokenizer(vocabulary);
    std::size_t checked = 0;
    for (const auto& run : golden.at("runs")) {
        const auto& rows = run.at("tokens");
        const auto& captions = run.at("captions");
        BOOST_REQUIRE_EQUAL(rows.size(), captions.size());
        for (std::size_t i = 0; i < rows.size(); ++i, ++checked) {
            BOOST_TEST(decode_caption(tokenizer, rows[i].get<std::vector<TokenId>>()) ==
                       captions[i].get<std::string>());
        }
    }
    BOOST_TEST(checked > 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

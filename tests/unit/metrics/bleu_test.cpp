// BLEU by closed forms and by rows of the COCO evaluation; the scores' names.
#include "blip/metrics/bleu.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "blip/base/error.h"
#include "blip/metrics/coco_eval.h"
#include "tests/support/paths.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

Tokens split(const std::string& joined) {
    std::istringstream stream(joined);
    Tokens tokens;
    for (std::string token; std::getline(stream, token, ' ');) tokens.push_back(token);
    return tokens;
}

bool close(double a, double b) { return std::abs(a - b) <= tolerance::scores; }

}    // namespace

BOOST_AUTO_TEST_SUITE(bleu_scores)

BOOST_AUTO_TEST_CASE(rows_of_the_coco_evaluation) {
    const nlohmann::json rows = read_json(repository_root() / "tests/golden/data/bleu_sample.json");
    BOOST_TEST(rows.size() > 10u);
    for (const auto& row : rows) {
        std::vector<Tokens> references;
        for (const auto& text : row.at("references")) references.push_back(split(text));
        const BleuScores scores = bleu({split(row.at("hypothesis"))}, {references});
        for (std::size_t n = 0; n < 4; ++n) {
            BOOST_TEST(close(scores.per_image[0][n], row.at("bleu")[n]), row.at("hypothesis") << " n " << n + 1);
            BOOST_TEST(scores.corpus[n] == scores.per_image[0][n]);    // a corpus of one
        }
    }
}

// The example of the paper (section 2.1): "the" seven times, clipped to the two of the longer reference.
BOOST_AUTO_TEST_CASE(counts_are_clipped) {
    const BleuScores scores = bleu({split("the the the the the the the")},
                                   {{split("the cat is on the mat"), split("there is a cat on the mat")}});
    BOOST_TEST(std::abs(scores.corpus[0] - 2.0 / 7) < 1e-9);
}

BOOST_AUTO_TEST_CASE(short_captions_are_penalised_by_the_closest_length) {
    // 3 words against lengths 5 and 2: 2 is closer, no penalty; against 5 and 1: both 2 away, the shorter counts
    for (const char* other : {"a b", "a"}) {
        BOOST_TEST(std::abs(bleu({split("a b c")}, {{split("a b c d e"), split(other)}}).corpus[0] - 1) < 1e-8);
    }
    const double expected = std::exp(1 - 5.0 / 3);
    BOOST_TEST(std::abs(bleu({split("a b c")}, {{split("a b c d e")}}).corpus[0] - expected) < 1e-8);
}

BOOST_AUTO_TEST_CASE(corpus_sums_counts_before_dividing) {
    const BleuScores scores = bleu({split("a b c d"), split("x y")}, {{split("a b c d")}, {split("p q")}});
    BOOST_TEST(std::abs(scores.corpus[0] - 4.0 / 6) < 1e-8);
    BOOST_TEST(std::abs(scores.corpus[1] - std::sqrt(4.0 / 6 * 3.0 / 4)) < 1e-8);
    BOOST_TEST(std::abs(scores.per_image[0][3] - 1) < 1e-8);
    BOOST_TEST(scores.per_image[1][0] < 1e-12);
}

BOOST_AUTO_TEST_CASE(no_break_space_separates_words) {
    const BleuScores joined = bleu({{"1\u00a01/2", "cups"}}, {{{"1", "1/2", "cups"}}});
    const BleuScores apart = bleu({{"1", "1/2", "cups"}}, {{{"1\u00a01/2", "cups"}}});
    BOOST_TEST(std::abs(joined.corpus[2] - 1) < 1e-8);
    BOOST_TEST(joined.corpus == apart.corpus, boost::test_tools::per_element());
}

// Python's str.split() knows more spaces; the tokenizer leaves them in addresses.
BOOST_AUTO_TEST_CASE(every_space_of_python_separates_words) {
    for (const char* space :
         {"\u0085", "\u1680", "\u2000", "\u2009", "\u200a", "\u2028", "\u202f", "\u205f", "\u3000", "\x1c", "\t"}) {
        const BleuScores joined =
            bleu({{std::string("a") + space + space + "b.com" + space, "x"}}, {{{"a", "b.com", "x"}}});
        BOOST_TEST(std::abs(joined.corpus[2] - 1) < 1e-8);
    }
    for (const char* other : {"\u200b", "\u2010", "\u00a1", "\u3001", "\x1b"})
        BOOST_TEST(bleu({{std::string("a") + other + "b"}}, {{{"a", "b"}}}).corpus[0] < 1e-8);
}

BOOST_AUTO_TEST_CASE(empty_captions_score_nothing) {
    const BleuScores scores = bleu({{}}, {{split("a b")}});
    for (std::size_t n = 0; n < 4; ++n) BOOST_TEST(scores.corpus[n] == 0.0);
    BOOST_TEST(bleu({}, {}).per_image.empty());
}

BOOST_AUTO_TEST_CASE(captions_without_references_are_refused) {
    BOOST_CHECK_THROW(bleu({split("a")}, {}), Error);
    BOOST_CHECK_THROW(bleu({split("a")}, {{}}), Error);
    BOOST_CHECK_EXCEPTION(coco_scores({{"17", "a", {}}}), Error, [](const Error& error) {
        return error.code() == ExitCode::bad_data && std::string(error.what()).find("image 17") != std::string::npos;
    });
}

BOOST_AUTO_TEST_CASE(scores_carry_the_names_of_the_coco_evaluation) {
    const auto scores = corpus_scores(
        coco_scores({{"1", "A dog's toy.", {"a dog 's toy"}}, {"2", "Two\ncats!", {"two cats", "cats"}}}));
    BOOST_REQUIRE(scores.size() == 6u);
    for (const char* name : {"Bleu_1", "Bleu_2"}) BOOST_TEST(std::abs(scores.at(name) - 1) < 1e-8);
    BOOST_TEST(scores.contains("Bleu_3"));
    for (const char* name : {"Bleu_4", "ROUGE_L", "CIDEr"}) BOOST_TEST(scores.contains(name));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

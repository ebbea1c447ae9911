// CIDEr and ROUGE-L by closed forms. (Against the COCO evaluation's own scores: tests/golden/metrics_test.cpp.)
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <sstream>

#include "blip/base/error.h"
#include "blip/metrics/cider.h"
#include "blip/metrics/rouge_l.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

Tokens split(const std::string& joined) {
    std::istringstream stream(joined);
    Tokens tokens;
    for (std::string token; stream >> token;) tokens.push_back(token);
    return tokens;
}

bool close(double a, double b) { return std::abs(a - b) <= tolerance::scores; }

}    // namespace

BOOST_AUTO_TEST_SUITE(cider_and_rouge)

BOOST_AUTO_TEST_CASE(a_caption_equal_to_its_reference) {
    const std::vector<Tokens> captions = {split("a red dog runs fast"), split("two blue cats sleep here")};
    const CaptionScores ciders = cider(captions, {{captions[0]}, {captions[1]}});
    BOOST_TEST(close(ciders.per_image[0], 10));
    BOOST_TEST(close(ciders.corpus, 10));
    BOOST_TEST(close(rouge_l(captions, {{captions[0]}, {captions[1]}}).corpus, 1));
}

// One word, in one of two images: unigrams have a cosine of 1, the longer n-grams do not exist.
BOOST_AUTO_TEST_CASE(one_word_is_a_quarter) {
    const CaptionScores scores = cider({split("dog"), split("cat")}, {{split("dog")}, {split("bird")}});
    BOOST_TEST(close(scores.per_image[0], 10 / 4.0));
    BOOST_TEST(close(scores.per_image[1], 0));
    BOOST_TEST(close(scores.corpus, 10 / 8.0));
}

BOOST_AUTO_TEST_CASE(words_of_every_image_count_nothing) {
    BOOST_TEST(close(cider({split("a"), split("a")}, {{split("a")}, {split("a")}}).corpus, 0));
    BOOST_TEST(close(cider({split("dog")}, {{split("dog")}}).corpus, 0));    // a single image: all words are in all
}

// "dog dog" against "dog": count clipped to 1 of weight log 2; cosine 1/2 x 1; one bigram more: exp(-1/72).
BOOST_AUTO_TEST_CASE(counts_are_clipped_and_lengths_compared) {
    const CaptionScores scores = cider({split("dog dog"), split("cat")}, {{split("dog")}, {split("cat")}});
    BOOST_TEST(close(scores.per_image[0], 10 * 0.5 / 4 * std::exp(-1 / 72.0)));
}

BOOST_AUTO_TEST_CASE(mean_over_references) {
    const CaptionScores scores = cider({split("dog"), split("cat")}, {{split("dog"), split("fox")}, {split("cat")}});
    BOOST_TEST(close(scores.per_image[0], 10 / 4.0 / 2));
}

// Against the textbook's table, over lengths around the 64 words that are compared at a time.
BOOST_AUTO_TEST_CASE(rouge_of_long_captions) {
    std::mt19937 generator(7);
    const auto draw = [&](std::size_t length, unsigned words) {
        Tokens tokens;
        for (std::size_t k = 0; k < length; ++k) tokens.push_back(std::to_string(generator() % words));
        return tokens;
    };
    for (const std::size_t length : {1, 5, 63, 64, 65, 127, 128, 129, 300}) {
        for (const unsigned words : {1, 2, 3, 20, 500}) {
            const Tokens a = draw(length, words), b = draw(length / 2 + generator() % 100 + 1, words);
            std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1, 0));
            for (std::size_t i = 1; i <= a.size(); ++i)
                for (std::size_t j = 1; j <= b.size(); ++j)
                    table[i][j] =
                        a[i - 1] == b[j - 1] ? table[i - 1][j - 1] + 1 : std::max(table[i - 1][j], table[i][j - 1]);
            const auto common = static_cast<double>(table[a.size()][b.size()]);
            const double p = common / static_cast<double>(a.size()), r = common / static_cast<double>(b.size());
            const double expected = common == 0 ? 0 : 2.44 * p * r / (r + 1.44 * p);
            BOOST_TEST(close(rouge_l({a}, {{b}}).corpus, expected), length << " words of " << words);
        }
    }
}

BOOST_AUTO_TEST_CASE(rouge_takes_the_best_precision_and_recall_apart) {
    // against "a b c d": subsequence 2 of 2 and 2 of 4; against "a x": 1 of 2 and 1 of 2
    const double p = 1, r = 0.5, f = 2.44 * p * r / (r + 1.44 * p);
    BOOST_TEST(close(rouge_l({split("a c")}, {{split("a b c d"), split("a x")}}).corpus, f));
    // precision from the first reference (3 of 3), recall from the second (2 of 2)
    BOOST_TEST(close(rouge_l({split("a b c")}, {{split("a b c d e f"), split("a b")}}).corpus, 1));
}

BOOST_AUTO_TEST_CASE(nothing_in_common_and_nothing_at_all) {
    BOOST_TEST(rouge_l({split("a")}, {{split("b")}}).corpus == 0);
    BOOST_TEST(rouge_l({Tokens{}}, {{split("b")}}).corpus == 0);
    BOOST_TEST(
        close(rouge_l({Tokens{}}, {{Tokens{}}}).corpus, 1));    // the evaluation sees one empty word on each side
    BOOST_TEST(cider({Tokens{}, split("a")}, {{split("b")}, {split("a")}}).per_image[0] == 0);
    BOOST_TEST(cider({}, {}).corpus == 0);
}

BOOST_AUTO_TEST_CASE(self_cider_from_alike_to_nothing_in_common) {
    const std::vector<std::vector<Tokens>> references = {{split("x")}, {split("y")}};
    const auto of = [&](std::vector<Tokens> captions) { return self_cider({std::move(captions)}, references).front(); };
    BOOST_TEST(close(of({split("a red dog runs"), split("a red dog runs"), split("a red dog runs")}), 0));
    BOOST_TEST(close(of({split("a red dog runs"), split("two blue cats sleep")}), 1));
    const double between = of({split("a red dog runs"), split("a red dog sleeps")});
    BOOST_TEST((between > 0.1 && between < 0.9));
    BOOST_TEST(self_cider({{Tokens{}, Tokens{}}}, references).front() == 0);
}

BOOST_AUTO_TEST_CASE(input_that_cannot_be_scored) {
    BOOST_CHECK_THROW(cider({split("a")}, {}), Error);
    BOOST_CHECK_THROW(cider({split("a")}, {{}}), Error);
    BOOST_CHECK_THROW(rouge_l({split("a")}, {}), Error);
    BOOST_CHECK_THROW(rouge_l({split("a")}, {{}}), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

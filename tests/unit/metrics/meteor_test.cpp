// METEOR over small tables made here, against the formulas of Denkowski and Lavie 2014.
#include "blip/metrics/meteor.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "blip/base/error.h"
#include "src/metrics/meteor_words.h"
#include "tests/support/paths.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

Tokens split(const std::string& joined) {
    std::istringstream stream(joined);
    Tokens tokens;
    for (std::string token; stream >> token;) tokens.push_back(token);
    return tokens;
}

std::string words(const std::string& text) {
    std::string joined;
    for (const std::string& word : meteor_words(split(text))) joined += (joined.empty() ? "" : "|") + word;
    return joined;
}

// Tables in a scratch folder, and the user's cache beside them.
struct Tables {
    TempDir scratch;
    Path dir = scratch.path() / "tables";

    Tables() {
        std::filesystem::create_directories(dir);
        write_bytes(dir / "english.words", "the\na\n");
        write_bytes(dir / "english.synsets", "couch\n1 2\nsofa\n2\nrun\n3\njog\n3\n");
        write_bytes(dir / "english.exceptions", "run\nran\n");
        write_bytes(dir / "paraphrase-en.gz", "0.5\nin front of\nbefore\n");
        ::setenv("XDG_CACHE_HOME", (scratch.path() / "cache").c_str(), 1);
    }
    double score(const std::string& hypothesis, const std::string& reference) const {
        return meteor({split(hypothesis)}, {{split(reference)}}, MeteorData::open(dir)).corpus;
    }
    Path index() const { return std::filesystem::directory_iterator(scratch.path() / "cache" / "blip_mpi")->path(); }
};

bool close(double a, double b) { return std::abs(a - b) <= tolerance::scores; }
// equal precision and recall p, in one chunk of so many matched words
double of(double p, double chunks, double matched) { return p * (1 - 0.6 * std::pow(chunks / matched, 0.2)); }

}    // namespace

BOOST_AUTO_TEST_SUITE(meteor_of_small_tables)

// content words weigh 3/4, function words 1/4
BOOST_FIXTURE_TEST_CASE(each_way_to_match_has_its_weight, Tables) {
    BOOST_TEST(close(score("the red dog", "the red cat"), of(1.0 / 1.75, 1, 2)));
    BOOST_TEST(close(score("walking x", "walked y"), of(0.6 * 0.75 / 1.5, 1, 1)));    // stem
    BOOST_TEST(close(score("couches x", "sofa y"), of(0.8 * 0.75 / 1.5, 1, 1)));      // synonym of the base form
    BOOST_TEST(close(score("ran x", "jogs y"), of(0.8 * 0.75 / 1.5, 1, 1)));          // exceptional inflection
    // three words for one: precision 0.6 x 3/4, recall 0.6 x 1/2
    const double p = 0.45, r = 0.3;
    BOOST_TEST(close(score("in front of x", "before y"), of(p * r / (0.85 * p + 0.15 * r), 1, 2)));
}

BOOST_FIXTURE_TEST_CASE(pieces_cost, Tables) {
    BOOST_TEST(close(score("red dog blue cat", "blue cat red dog"), of(1, 2, 4)));
}

BOOST_FIXTURE_TEST_CASE(the_corpus_sums_counts_and_takes_the_best_reference, Tables) {
    const CaptionScores scores =
        meteor({split("red dog"), split("blue cat")}, {{split("x y"), split("red dog")}, {split("blue z")}},
               MeteorData::open(dir), 2);
    BOOST_TEST(close(scores.per_image[0], 1));
    BOOST_TEST(close(scores.per_image[1], of(0.5, 1, 1)));
    BOOST_TEST(close(scores.corpus, of(0.75, 1, 3)));    // a whole match is no chunk
}

BOOST_FIXTURE_TEST_CASE(an_index_that_is_damaged_is_made_anew, Tables) {
    const double before = score("couch x", "sofa y");
    const std::string whole = read_bytes(index());
    for (const std::size_t at :
         {std::size_t{3}, std::size_t{20}, std::size_t{40}, whole.size() / 2, whole.size() - 1}) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        write_bytes(index(), damaged);
        BOOST_TEST(score("couch x", "sofa y") == before);
        BOOST_TEST((read_bytes(index()) == whole));
    }
    write_bytes(index(), whole.substr(0, whole.size() / 2));
    BOOST_TEST(score("couch x", "sofa y") == before);
    BOOST_TEST((read_bytes(index()) == whole));
}

BOOST_FIXTURE_TEST_CASE(tables_that_cannot_be_used, Tables) {
    write_bytes(dir / "paraphrase-en.gz", "0.5\nonly one phrase\n");
    BOOST_CHECK_THROW(MeteorData::open(dir), Error);
    std::filesystem::remove(dir / "english.words");
    BOOST_CHECK_THROW(MeteorData::open(dir), Error);
}

BOOST_FIXTURE_TEST_CASE(very_long_captions_end, Tables) {
    std::string same, crossed;
    for (int i = 0; i < 3000; ++i) {
        same += "dog ";
        crossed += i % 2 == 0 ? "couch " : "sofa ";
    }
    BOOST_TEST(score(same, same) > 0);
    BOOST_TEST(score(crossed, same) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

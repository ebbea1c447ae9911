// METEOR over small tables made here, against the formulas of Denkowski and Lavie 2014.
#include "blip/metrics/meteor.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <sstream>

#include "blip/base/error.h"
#include "src/metrics/meteor/words.h"
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

// Tables in a scratch folder.
struct Tables {
    TempDir scratch;
    Path dir = scratch.path() / "tables";

    Tables() {
        std::filesystem::create_directories(dir);
        write_bytes(dir / "english.words", "the\na\n");
        write_bytes(dir / "english.synsets", "couch\n1 2\nsofa\n2\nrun\n3\njog\n3\n");
        write_bytes(dir / "english.exceptions", "run\nran\n");
        write_bytes(dir / "paraphrase-en.gz", "0.5\nin front of\nbefore\n");
    }
    double score(const std::string& hypothesis, const std::string& reference) const {
        return meteor({split(hypothesis)}, {{split(reference)}}, MeteorData::open(dir)).corpus;
    }
    Path index() const { return dir / "index-1"; }
};

bool close(double a, double b) { return std::abs(a - b) <= tolerance::scores; }
// equal precision and recall p, in one chunk of so many matched words
double of(double p, double chunks, double matched) { return p * (1 - 0.6 * std::pow(chunks / matched, 0.2)); }

}    // namespace

BOOST_AUTO_TEST_SUITE(words_of_meteor)

// Seen in the oracle's word counts and exact matches.
BOOST_AUTO_TEST_CASE(signs_stand_apart) {
    BOOST_TEST(words("") == "");
    BOOST_TEST(words("a dog") == "a|dog");
    BOOST_TEST(words("tub/shower at&t $5 50% foo@bar.com #1") == "tub|/|shower|at|&|t|$|5|50|%|foo|@|bar.com|#|1");
    BOOST_TEST(words("4:21 1/2 c++ 4x4") == "4|:|21|1|/|2|c|+|+|4x4");
    BOOST_TEST(words("a‘b “c” – d—e …") == "a|'b|\"|c|\"|-|d|—|e|…");
    BOOST_TEST(words("``a'' a’’b") == "\"|a|\"|a|\"|b");
    BOOST_TEST(words("1,000,000.50 a,b 5, ,5 1,a") == "1,000,000.50|a|,|b|5|,|,|5|1|,|a");
}

BOOST_AUTO_TEST_CASE(letters_of_latin_and_cyrillic_script_make_words) {
    BOOST_TEST(words("café jalapeño naïve привет") == "café|jalapeño|naïve|привет");
    BOOST_TEST(words("日本 αβ a猫b ½ 😀😀") == "日|本|α|β|a|猫|b|½|😀|😀");
    BOOST_TEST(words("-lrb-555-rrb-\u00A0123-4567") == "-lrb|555|rrb-|123|4567");
    BOOST_TEST(words("a\u3000b \u00A0") == "a|b");
    BOOST_TEST(words("a\xFF"
                     "b") == "a|\uFFFD|b");
}

BOOST_AUTO_TEST_CASE(hyphens) {
    BOOST_TEST(words("close-up 10-29-2011 b-25") == "close|up|10|29|2011|b|25");
    BOOST_TEST(words("jack-o-lantern") == "jack|o-lantern");    // the "o" is the context of the first hyphen
    BOOST_TEST(words("mother-in-law") == "mother|in|law");
    BOOST_TEST(words("-5 a- a--b a---b") == "-5|a-|a|b|a--b");
    BOOST_TEST(words("a.-b $-b") == "a.|b|$|-b");
}

BOOST_AUTO_TEST_CASE(apostrophes) {
    BOOST_TEST(words("dog 's n't '80s ' ol'") == "dog|'|s|n|'t|'|80s|'|ol|'");
    BOOST_TEST(words("o'clock d'oeuvre 1980's 1'a 1'2") == "o|'clock|d|'oeuvre|1980|'s|1'a|1|'|2");
    BOOST_TEST(words("'n' a'b'c '1'") == "'|n|'|a|'b'c|'|1'");
    BOOST_TEST(words("'.' ', '") == "'|.'|'|,|'");
}

BOOST_AUTO_TEST_CASE(periods) {
    BOOST_TEST(words("u.s. u.s.a p.m. ph.d. 1.2.") == "us|u.s.a|pm|phd|1.2|.");
    BOOST_TEST(words("st. and blvd.") == "st.|and|blvd|.");
    BOOST_TEST(words("st. 5 st. é st. 's st.\u00A0a") == "st|.|5|st|.|é|st|.|'|s|st|.|a");
    BOOST_TEST(words("a vs. 2 v. 3 rev. 4 pp. 5 pp.") == "a|vs.|2|v.|3|rev.|4|pp.|5|pp|.");
    BOOST_TEST(words("a..b ... .5 3.14 ground.a . ..") == "a|..|b|...|.5|3.14|ground.a|.|..");
}

BOOST_AUTO_TEST_CASE(long_runs_take_linear_time) {    // minutes if it were quadratic
    for (const std::string run : {"'", ".", ",", "-", "a-", "a'", "a.", "$", "\u00A0", "1,", "a"}) {
        std::string text;
        while (text.size() < 2'000'000) text += run;
        BOOST_TEST(meteor_words({text}).size() <= text.size());
    }
}

BOOST_AUTO_TEST_SUITE_END()

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

// An index that gives other scores than its tables, so that it shows which of the two is used.
BOOST_FIXTURE_TEST_CASE(an_index_is_used_while_it_is_newer_than_its_tables, Tables) {
    namespace fs = std::filesystem;
    const double before = score("couch x", "sofa y");
    BOOST_TEST(before > 0);
    BOOST_TEST(!fs::exists(index()));    // scoring writes nothing
    const std::string synsets = read_bytes(dir / "english.synsets");
    write_bytes(dir / "english.synsets", "couch\n1 2\nsofa\n4\nrun\n3\njog\n3\n");    // of the same size
    compile_meteor_index(dir);
    write_bytes(dir / "english.synsets", synsets);
    const auto written = fs::last_write_time(index());
    fs::last_write_time(dir / "english.synsets", written - std::chrono::seconds(1));
    BOOST_TEST(score("couch x", "sofa y") == 0);
    fs::last_write_time(dir / "english.synsets", written + std::chrono::seconds(1));
    BOOST_TEST(score("couch x", "sofa y") == before);
    write_bytes(dir / "english.synsets", synsets + "bench\n5\n");    // of another size
    fs::last_write_time(dir / "english.synsets", written - std::chrono::seconds(1));
    BOOST_TEST(score("couch x", "sofa y") == before);
    compile_meteor_index(dir);
    BOOST_TEST(score("couch x", "sofa y") == before);
    fs::remove(dir / "english.words");
    BOOST_CHECK_THROW(MeteorData::open(dir), Error);
}

BOOST_FIXTURE_TEST_CASE(a_damaged_index_is_read_nowhere_outside, Tables) {
    const double before = score("couch x", "sofa y");
    compile_meteor_index(dir);
    const std::string whole = read_bytes(index());
    write_bytes(index(), whole.substr(0, whole.size() / 2));
    BOOST_TEST(score("couch x", "sofa y") == before);    // its parts do not fill it: not used
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int bits : {0x01, 0xFF}) {
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ bits);
            write_bytes(index(), damaged);
            const double after = score("couch x in front of", "sofas before y");
            BOOST_TEST((after >= 0 && after <= 1));    // under ASan: no byte beside the mapping
        }
    }
}

BOOST_FIXTURE_TEST_CASE(absent_tables_are_told, Tables) {
    std::filesystem::remove(dir / "paraphrase-en.gz");
    const MeteorTables found = find_meteor(dir);
    BOOST_TEST(!found.data.has_value());
    BOOST_TEST(found.problem.find("paraphrase-en.gz") != std::string::npos);
    BOOST_TEST(found.problem.find("env/setup.sh --with-meteor") != std::string::npos);
    BOOST_CHECK_THROW(require_meteor_tables(dir), Error);
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

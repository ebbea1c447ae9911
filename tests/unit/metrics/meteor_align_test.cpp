// METEOR's choice among alignments that cover as many words in as few chunks: what the oracle was seen to answer to
// captions that leave just one choice open, told by the number of matches it reports.
#include "src/metrics/meteor/align.h"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "blip/metrics/meteor.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

// "skateboard" and "skateboarder" match by stem and as synonyms, each worth less than a word: they are taken only where
// that costs nothing. "a" is matched exactly.
struct OneChoice {
    TempDir scratch;
    std::optional<MeteorData> data;

    OneChoice() {
        const Path dir = scratch.path() / "tables";
        std::filesystem::create_directories(dir);
        write_bytes(dir / "english.words", "a\n");
        write_bytes(dir / "english.synsets", "skateboard\n1\nskateboarder\n1\n");
        write_bytes(dir / "english.exceptions", "ran\nrun\n");
        write_bytes(dir / "paraphrase-en.gz", "0.5\nat rest\nlying around\n");
        data = MeteorData::open(dir);
    }

    MeteorAlignment align(const std::string& hypothesis, const std::string& reference) const {
        MeteorLexicon lexicon(data->index());
        const auto numbers = [&](const std::string& text) {
            std::istringstream stream(text);
            std::vector<std::uint32_t> words;
            for (std::string word; stream >> word;) words.push_back(lexicon.number(word));
            return words;
        };
        const auto h = numbers(hypothesis), r = numbers(reference);
        MeteorAligner aligner(lexicon);
        aligner.caption(h);
        return aligner.align(r);
    }

    // For n = 0, 1, ...: '2' if "a" and the other word were matched in one piece, '1' if "a" alone was.
    template <class Captions>
    std::string answers(int count, const Captions& captions) const {
        std::string all;
        for (int n = 0; n < count; ++n) {
            const auto [reference, hypothesis] = captions(n);
            const MeteorAlignment found = align(hypothesis, reference);
            all += found.chunks == 1 ? static_cast<char>('0' + found.matches.size()) : '?';
        }
        return all;
    }
};

std::string times(const std::string& words, int n) {
    std::string text;
    for (int i = 0; i < n; ++i) text += words + " ";
    return text;
}

using Pair = std::pair<std::string, std::string>;

}    // namespace

BOOST_FIXTURE_TEST_SUITE(meteor_alignment, OneChoice)

BOOST_AUTO_TEST_CASE(words_are_covered_before_chunks_are_saved) {
    const MeteorAlignment found = align("x a cat y sat z", "a cat q q sat");
    BOOST_TEST(found.matches.size() == 3u);
    BOOST_TEST(found.chunks == 2u);
}

BOOST_AUTO_TEST_CASE(what_is_worth_less_than_a_word_does_not_open_a_chunk) {
    BOOST_TEST(align("skateboard", "skateboarder").matches.empty());
    BOOST_TEST(align("skateboard x skateboard", "skateboarder y skateboarder").matches.empty());
    BOOST_TEST(align("a skateboard", "a skateboarder").matches.size() == 2u);
    // a stem that has no other way is taken even so
    BOOST_TEST(align("x cats", "cat").matches.size() == 1u);
}

BOOST_AUTO_TEST_CASE(two_halves_of_a_phrase_are_worth_a_word_each) {
    const MeteorAlignment found = align("dog at rest", "dog lying around");
    BOOST_TEST(found.matches.size() == 2u);
    BOOST_TEST(found.chunks == 1u);
}

// The distance of matches that were declined decides; those that would have come after the one taken do not count.
BOOST_AUTO_TEST_CASE(a_later_piece_in_the_reference) {
    BOOST_TEST(answers(10, [](int n) { return Pair("a q q a skateboarder", times("p", n) + "a skateboard"); }) ==
               "2221112222");
    BOOST_TEST(answers(9, [](int n) { return Pair("a skateboarder q a", times("p", n) + "a skateboard"); }) ==
               "122222222");
    BOOST_TEST(answers(10, [](int n) { return Pair("a q skateboarder a", times("p", n) + "skateboard a"); }) ==
               "2211122222");
}

BOOST_AUTO_TEST_CASE(a_later_piece_in_the_hypothesis) {
    BOOST_TEST(answers(10, [](int n) { return Pair(times("q", n) + "a skateboarder", "a y y a skateboard"); }) ==
               "2221112222");
    BOOST_TEST(answers(9, [](int n) { return Pair(times("q", n) + "a skateboarder", "a skateboard y a"); }) ==
               "222222222");
    BOOST_TEST(answers(10, [](int n) { return Pair(times("q", n) + "skateboarder a", "a y skateboard a"); }) ==
               "2211122222");
}

BOOST_AUTO_TEST_CASE(every_declined_match_adds_its_distance) {
    const auto after = [&](int k) {
        return answers(
            12, [k](int n) { return Pair(times("a q", k) + "a skateboarder q a", times("p", n) + "a skateboard"); });
    };
    BOOST_TEST(after(1) == "221122222222");
    BOOST_TEST(after(2) == "222111111111");
    BOOST_TEST(after(3) == "222211111111");
    BOOST_TEST(after(4) == "222221111111");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

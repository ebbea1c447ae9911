// Scores and tokens against the COCO evaluation's own results (pycocoevalcap with its Java tokenizer).
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "blip/metrics/bleu.h"
#include "blip/metrics/cider.h"
#include "blip/metrics/coco_eval.h"
#include "blip/metrics/meteor.h"
#include "blip/metrics/ptb_tokenizer.h"
#include "blip/metrics/rouge_l.h"
#include "tests/support/paths.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

Tokens split(const std::string& joined) {
    Tokens tokens;
    std::istringstream stream(joined);
    for (std::string token; std::getline(stream, token, ' ');) tokens.push_back(token);
    return tokens;
}

std::string join(const Tokens& tokens) {
    std::string text;
    for (const std::string& token : tokens) text += (text.empty() ? "" : " ") + token;
    return text;
}

void expect_scores(const std::string& name, double corpus, const std::vector<double>& per_image,
                   const nlohmann::json& golden) {
    BOOST_TEST_CONTEXT(name) {
        BOOST_TEST(std::abs(corpus - golden.at("scores").at(name).get<double>()) <= tolerance::scores);
        const nlohmann::json& wanted = golden.at("per_image").at(name);
        BOOST_REQUIRE_EQUAL(per_image.size(), wanted.size());
        double worst = 0;
        for (std::size_t i = 0; i < per_image.size(); ++i)
            worst = std::max(worst, std::abs(per_image[i] - wanted[i].get<double>()));
        BOOST_TEST(worst <= tolerance::scores);
    }
}

// golden: an object with "scores" and "per_image" by metric
void expect_scores(const std::vector<Tokens>& hypotheses, const std::vector<std::vector<Tokens>>& references,
                   const nlohmann::json& golden) {
    const BleuScores bleus = bleu(hypotheses, references);
    for (std::size_t n = 0; n < 4; ++n) {
        std::vector<double> per_image;
        for (const auto& of_image : bleus.per_image) per_image.push_back(of_image[n]);
        expect_scores("Bleu_" + std::to_string(n + 1), bleus.corpus[n], per_image, golden);
    }
    const CaptionScores rouge = rouge_l(hypotheses, references), ciders = cider(hypotheses, references);
    expect_scores("ROUGE_L", rouge.corpus, rouge.per_image, golden);
    expect_scores("CIDEr", ciders.corpus, ciders.per_image, golden);
}

// The first caption of each image is the hypothesis of metrics.json.gz, the others are its references; in its order.
std::vector<ScoredCaption> scored_captions(const nlohmann::json& golden) {
    const nlohmann::json file = read_json(*captions_file());
    std::map<std::int64_t, ScoredCaption> by_image;
    for (const auto& annotation : file.at("annotations")) {
        ScoredCaption& scored = by_image[annotation.at("image_id")];
        const bool first = scored.image.empty();
        scored.image = annotation.at("image_id").dump();
        (first ? scored.caption : scored.references.emplace_back()) = annotation.at("caption");
    }
    std::vector<ScoredCaption> captions;
    for (const auto& id : golden.at("image_ids")) captions.push_back(by_image.at(id));
    return captions;
}

std::size_t count_equal(const std::vector<std::string>& lines, const std::vector<std::string>& tokens) {
    std::size_t equal = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string got = join(ptb_tokenize(lines[i], i + 1 < lines.size() ? lines[i + 1] : std::string()));
        equal += got == tokens[i];
        if (got != tokens[i])
            BOOST_TEST_MESSAGE("'" << lines[i] << "' gives '" << got << "' instead of '" << tokens[i] << "'");
    }
    BOOST_TEST_MESSAGE("compared: " << equal << " of " << lines.size() << " lines have the oracle's tokens");
    return equal;
}

boost::test_tools::assertion_result has_meteor(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result result(!find_meteor({}).problem.size());
    if (!result) result.message() << "no tables in " << default_meteor_dir().string() << ": env/setup.sh --with-meteor";
    return result;
}

// Compares; tells the images beyond the tolerance and returns how many they are.
std::size_t expect_meteor(const std::string& name, const CaptionScores& scores, const nlohmann::json& golden) {
    const nlohmann::json& wanted = golden.at("per_image").at("METEOR");
    BOOST_REQUIRE_EQUAL(scores.per_image.size(), wanted.size());
    std::size_t apart = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double want = wanted[i].get<double>();
        if (std::abs(scores.per_image[i] - want) <= tolerance::meteor_of_image) continue;
        ++apart;
        BOOST_TEST_MESSAGE(name << ", image " << i << ": " << scores.per_image[i] << " instead of " << want);
    }
    const double difference = scores.corpus - golden.at("scores").at("METEOR").get<double>();
    BOOST_TEST_MESSAGE("compared: " << wanted.size() - apart << " of " << wanted.size() << " images' METEOR, " << name
                                    << "; corpus off by " << difference);
    BOOST_TEST(std::abs(difference) <= tolerance::meteor_corpus, name << ": corpus off by " << difference);
    return apart;
}

void expect_most_equal(std::size_t apart, std::size_t images) {
    const double equal = 1 - static_cast<double>(apart) / static_cast<double>(images);
    BOOST_TEST(equal >= tolerance::meteor_equal_images);
}

std::vector<std::vector<Tokens>> golden_references(const nlohmann::json& golden, const nlohmann::json& image_ids) {
    std::vector<std::vector<Tokens>> references;
    for (const auto& id : image_ids) {
        auto& list = references.emplace_back();
        for (const auto& reference : golden.at("references_tokenized").at(std::to_string(id.get<std::int64_t>())))
            list.push_back(split(reference));
    }
    return references;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_AUTO_TEST_CASE(scores_of_golden_tokens, *boost::unit_test::precondition(has_golden)) {
    const nlohmann::json golden = read_json(golden_file("metrics.json.gz"));
    std::vector<Tokens> hypotheses;
    std::vector<std::vector<Tokens>> references;
    for (const auto& id : golden.at("image_ids")) {
        const std::string key = std::to_string(id.get<std::int64_t>());
        hypotheses.push_back(split(golden.at("hypotheses_tokenized").at(key).at(0)));
        auto& list = references.emplace_back();
        for (const auto& reference : golden.at("references_tokenized").at(key)) list.push_back(split(reference));
    }
    expect_scores(hypotheses, references, golden);
}

BOOST_AUTO_TEST_CASE(meteor_of_golden_tokens,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_meteor)) {
    const nlohmann::json golden = read_json(golden_file("metrics.json.gz"));
    std::vector<Tokens> hypotheses;
    for (const auto& id : golden.at("image_ids"))
        hypotheses.push_back(split(golden.at("hypotheses_tokenized").at(std::to_string(id.get<std::int64_t>())).at(0)));
    const MeteorTables tables = find_meteor({});
    const CaptionScores scores =
        meteor(hypotheses, golden_references(golden, golden.at("image_ids")), tables.data.value(), 2);
    expect_most_equal(expect_meteor("captions", scores, golden), hypotheses.size());
}

BOOST_AUTO_TEST_CASE(meteor_of_odd_hypotheses,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_meteor)) {
    const nlohmann::json golden = read_json(golden_file("metrics.json.gz"));
    const nlohmann::json hard = read_json(golden_file("metrics_hard.json.gz"));
    const MeteorTables tables = find_meteor({});
    std::size_t apart = 0, images = 0;
    for (const auto& variant : hard.at("variants")) {
        std::vector<Tokens> hypotheses;
        for (const auto& text : variant.at("hypotheses_tokenized")) hypotheses.push_back(split(text));
        const CaptionScores scores =
            meteor(hypotheses, golden_references(golden, variant.at("image_ids")), tables.data.value(), 2);
        apart += expect_meteor(variant.at("variant"), scores, variant);
        images += hypotheses.size();
    }
    BOOST_REQUIRE_GT(images, 0);
    expect_most_equal(apart, images);
}

BOOST_AUTO_TEST_CASE(scores_of_odd_hypotheses, *boost::unit_test::precondition(has_golden)) {
    const nlohmann::json golden = read_json(golden_file("metrics.json.gz"));
    const nlohmann::json hard = read_json(golden_file("metrics_hard.json.gz"));
    BOOST_REQUIRE(!hard.at("variants").empty());
    for (const auto& variant : hard.at("variants")) {
        BOOST_TEST_CONTEXT(variant.at("variant").get<std::string>()) {
            std::vector<Tokens> hypotheses;
            for (const auto& text : variant.at("hypotheses_tokenized")) hypotheses.push_back(split(text));
            expect_scores(hypotheses, golden_references(golden, variant.at("image_ids")), variant);
        }
    }
}

// The 12,305 captions on which every token is the oracle's; of others a few may not be.
bool is_known(const nlohmann::json& golden) {
    std::size_t captions = golden.at("hypotheses_tokenized").size();
    for (const auto& of_image : golden.at("references_tokenized")) captions += of_image.size();
    return captions == 12305;
}

// From raw captions: what an evaluation reports.
BOOST_AUTO_TEST_CASE(scores_of_raw_captions,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_captions)) {
    const nlohmann::json golden = read_json(golden_file("metrics.json.gz"));
    CocoEvalOptions options;
    options.threads = 3;
    const auto scores = corpus_scores(coco_scores(scored_captions(golden), options));
    const double limit = is_known(golden) ? tolerance::scores : tolerance::scores_of_raw_captions;
    for (const char* name : {"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"})
        BOOST_TEST(std::abs(scores.at(name) - golden.at("scores").at(name).get<double>()) <= limit, name);
}

BOOST_AUTO_TEST_CASE(tokens_of_captions,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_captions)) {
    const nlohmann::json golden = read_json(golden_file("metrics.json.gz"));
    // the oracle read all hypotheses as one text and all references as another
    std::vector<std::string> hypotheses, references, hypothesis_tokens, reference_tokens;
    for (const ScoredCaption& scored : scored_captions(golden)) {
        const std::string id = scored.image;
        hypotheses.push_back(scored.caption);
        hypothesis_tokens.push_back(golden.at("hypotheses_tokenized").at(id).at(0));
        for (const std::string& reference : scored.references) references.push_back(reference);
        for (const auto& tokens : golden.at("references_tokenized").at(id)) reference_tokens.push_back(tokens);
    }
    BOOST_REQUIRE_EQUAL(references.size(), reference_tokens.size());
    const std::size_t equal = count_equal(hypotheses, hypothesis_tokens) + count_equal(references, reference_tokens);
    const auto all = static_cast<double>(hypotheses.size() + references.size());
    BOOST_TEST(static_cast<double>(equal) >= tolerance::equal_caption_tokens * all);
    if (is_known(golden)) BOOST_TEST(static_cast<double>(equal) == all);
}

BOOST_AUTO_TEST_CASE(tokens_of_hard_lines, *boost::unit_test::precondition(has_golden)) {
    const nlohmann::json hard = read_json(golden_file("metrics_hard.json.gz"));
    const auto lines = hard.at("ptb_lines").get<std::vector<std::string>>();
    const auto equal = static_cast<double>(count_equal(lines, hard.at("ptb_tokens").get<std::vector<std::string>>()));
    BOOST_TEST(equal >= tolerance::equal_hard_tokens * static_cast<double>(lines.size()));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

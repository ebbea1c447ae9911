// References tokenised in shares, NoCaps' domains, and when published figures stand beside an evaluation's.
#include "blip/tasks/caption/scoring.h"

#include <boost/test/unit_test.hpp>

#include "blip/base/error.h"
#include "blip/metrics/coco_tokens.h"
#include "blip/tasks/caption/evaluator.h"
#include "tests/support/paths.h"

namespace blip::test {
namespace {

// Images with 2, 0, 3 and 1 references, captions not in the images' order.
struct Drawn {
    std::vector<std::string> texts = {"A red dog runs at 5 p.m.", "Two cats,\nasleep.", "vitamin A.",
                                      "The dog isn't here",       "a bus (blue)",       "A man's kite"};
    SplitTables split;
    Drawn() {
        split.keys_I = {11, 12, 13, 14};
        split.image_index_C = {2, 0, 0, 2, 3, 2};
        split.lengths_C.resize(6);
        split.text_offsets_C1 = {0};
        for (const std::string& text : texts) {
            split.texts += text;
            split.text_offsets_C1.push_back(split.texts.size());
        }
    }
};

SplitEvaluation evaluated(std::string split, std::size_t images) {
    SplitEvaluation evaluation;
    evaluation.split = std::move(split);
    evaluation.captions.resize(images);
    evaluation.scores = {{"Bleu_4", 0.25}, {"CIDEr", 1.0}};
    return evaluation;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(scoring)

BOOST_AUTO_TEST_CASE(tokens_are_the_same_from_any_number_of_shares) {
    const Drawn drawn;
    const ReferenceLines lines(drawn.split, 4);
    const auto whole = lines.by_image({lines.tokens_of_share(0, 1, 1)});
    BOOST_REQUIRE_EQUAL(whole.size(), 4);
    const std::vector<std::string_view> text = {"Two cats,\nasleep.", "vitamin A.",   "A red dog runs at 5 p.m.",
                                                "The dog isn't here", "A man's kite", "a bus (blue)"};
    const std::vector<Tokens> wanted = coco_tokens(text, 1);
    BOOST_TEST((whole[0] == std::vector<Tokens>{wanted[0], wanted[1]}));
    BOOST_TEST(whole[1].empty());
    BOOST_TEST((whole[2] == std::vector<Tokens>{wanted[2], wanted[3], wanted[4]}));
    BOOST_TEST((whole[3] == std::vector<Tokens>{wanted[5]}));
    for (int ranks : {2, 3, 5, 9}) {    // some without a line
        std::vector<std::string> shares;
        for (int rank = 0; rank < ranks; ++rank) shares.push_back(lines.tokens_of_share(rank, ranks, 1 + rank % 2));
        BOOST_TEST((lines.by_image(shares) == whole), ranks << " ranks");
    }
    BOOST_CHECK_THROW(lines.by_image({lines.tokens_of_share(0, 2, 1)}), Error);
}

BOOST_AUTO_TEST_CASE(only_the_first_images_are_read) {
    const Drawn drawn;
    const ReferenceLines lines(drawn.split, 2);
    const auto tokens = lines.by_image({lines.tokens_of_share(0, 1, 1)});
    BOOST_REQUIRE_EQUAL(tokens.size(), 2);
    BOOST_TEST(tokens[0].size() == 2);
}

BOOST_AUTO_TEST_CASE(domains_are_scored_each_by_itself) {
    const Drawn drawn;
    const ReferenceLines lines(drawn.split, 4);
    ScoringFiles files;
    files.domains = {{"11", "in-domain"}, {"13", "out-domain"}, {"14", "out-domain"}};
    SplitEvaluation evaluation;
    for (std::int64_t row = 0; row < 4; ++row)
        evaluation.captions.push_back({row, 11 + row, "", row == 0 ? "vitamin A" : "zebra", 0});
    score_split(evaluation, lines.by_image({lines.tokens_of_share(0, 1, 1)}), lines.set(drawn.split), files, {});
    BOOST_TEST(evaluation.signature.starts_with("images:3|references:"));
    BOOST_REQUIRE_EQUAL(evaluation.domains.size(), 2);
    BOOST_TEST(evaluation.domains.at("in-domain").images == 1);
    BOOST_TEST(evaluation.domains.at("out-domain").images == 2);
    BOOST_TEST(evaluation.domains.at("in-domain").scores.at("ROUGE_L") == 1);
    BOOST_TEST(evaluation.domains.at("out-domain").scores.at("ROUGE_L") == 0);
    BOOST_TEST(std::abs(evaluation.scores.at("ROUGE_L") - 1 / 3.0) <
               1e-12);    // the image without references: left out
}

BOOST_AUTO_TEST_CASE(nocaps_files_are_read_and_refused_by_name) {
    const TempDir folder;
    EvaluateOptions options;
    options.nocaps = folder / "nocaps.json";
    write_bytes(options.nocaps, R"({"images": [{"id": 0, "domain": "in-domain"}, {"id": 7}], "annotations": [3]})");
    const ScoringFiles files = read_scoring_files(options);
    BOOST_TEST(files.nocaps);
    BOOST_TEST(files.nocaps_images.size() == 2);
    BOOST_TEST((files.domains == std::map<std::string, std::string>{{"0", "in-domain"}}));
    for (const char* bad : {"[]", "{\"images\": [{\"id\": [1]}]}", "{\"images\": [{\"id\": 1, \"domain\": \"far\"}]}",
                            "{\"images\": [{\"id\": 1}, {\"id\": 1}]}", "{\"images\": 1}"}) {
        write_bytes(options.nocaps, bad);
        BOOST_CHECK_EXCEPTION(read_scoring_files(options), Error, [](const Error& error) {
            return error.code() == ExitCode::bad_data &&
                   std::string(error.what()).find("nocaps.json") != std::string::npos;
        });
    }
    BOOST_TEST(!read_scoring_files({}).nocaps);
}

BOOST_AUTO_TEST_CASE(published_figures_stand_beside_the_whole_karpathy_split_alone) {
    const std::string karpathy = "Karpathy split: dataset_coco.json (train and restval are train)";
    const auto lines = beside_published(evaluated("val", 5000), 5000, karpathy);
    BOOST_REQUIRE_EQUAL(lines.size(), 9);
    BOOST_TEST(lines[1] == "  val        this run  reproduction  DeepSpark, 8 x BI-V100");
    BOOST_TEST(lines[5] == "  Bleu_4       0.2500        0.4005                  0.3880");
    BOOST_TEST(lines[6] == "  METEOR            -        0.3087                       -");
    BOOST_TEST(lines[8] == "  CIDEr        1.0000        1.3236                       -");
    const auto test = beside_published(evaluated("test", 5000), 5000, karpathy);
    BOOST_REQUIRE_EQUAL(test.size(), 9);
    BOOST_TEST(test[8] == "  CIDEr        1.0000        1.3332                       -");
    BOOST_TEST(beside_published(evaluated("train", 5000), 5000, karpathy).empty());
    BOOST_TEST(beside_published(evaluated("val", 100), 5000, karpathy).empty());    // --limit
    BOOST_TEST(beside_published(evaluated("val", 100), 100, karpathy).empty());
    BOOST_TEST(beside_published(evaluated("val", 5000), 5000, "COCO's own split: ...").empty());
    SplitEvaluation unscored = evaluated("val", 5000);
    unscored.scores.clear();
    BOOST_TEST(beside_published(unscored, 5000, karpathy).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

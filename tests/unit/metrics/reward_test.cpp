// The reward of drawn captions against a CIDEr-D written in Python, and what it is made of. And frequencies prepared
// once give the scores of frequencies counted anew.
#include "blip/metrics/reward.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/metrics/bleu.h"
#include "tests/support/paths.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

struct RewardCases {
    nlohmann::json rows = read_json(repository_root() / "tests/golden/data/cider_rewards.json");
    std::vector<std::vector<std::string>> texts = rows.at("images"), elsewhere = rows.at("elsewhere");

    std::vector<std::vector<std::string_view>> references() const { return views_of(texts); }
    static std::vector<std::vector<std::string_view>> views_of(const std::vector<std::vector<std::string>>& texts) {
        std::vector<std::vector<std::string_view>> views;
        for (const auto& of_image : texts) views.emplace_back(of_image.begin(), of_image.end());
        return views;
    }
};

// What is thrown of a file with this text.
std::string refusal(const char* text) {
    const TempDir folder;
    write_bytes(folder / "df.json", text);
    try {
        CaptionReward::read_frequencies(folder / "df.json");
    } catch (const Error& error) {
        BOOST_TEST((error.code() == ExitCode::bad_data));
        return error.what();
    }
    return "";
}

}    // namespace

BOOST_AUTO_TEST_SUITE(rewards)

BOOST_AUTO_TEST_CASE(equals_cider_written_in_python) {
    RewardCases cases;
    cases.texts[3][0] += " .";    // people's full stops count nothing
    cases.texts[4][0] += ".";
    const CaptionReward reward(cases.references(), {}, 2);
    int without_end = 0, nothing = 0;
    for (const auto& row : cases.rows.at("captions")) {
        const auto caption = row.at("caption").get<std::string>();
        const double wanted = row.at("cider"), got = reward(caption, row.at("ended"), row.at("image"));
        BOOST_TEST(std::abs(got - wanted) <= tolerance::rewards, caption);
        BOOST_TEST(reward(caption + " .", row.at("ended"), row.at("image")) == got);
        without_end += row.at("ended") ? 0 : 1;
        nothing += wanted == 0 ? 1 : 0;
    }
    BOOST_TEST((without_end > 20 && nothing < 20));
}

BOOST_AUTO_TEST_CASE(the_end_token_is_worth_something) {
    const RewardCases cases;
    const CaptionReward reward(cases.references(), {}, 1);
    for (std::size_t image = 0; image < 10; ++image) {
        const std::string& whole = cases.texts[image][0];
        BOOST_TEST(reward(whole, true, image) > reward(whole, false, image));
    }
    // the reference itself, where it is the only one
    const CaptionReward alone({{"a red dog"}, {"two cats"}}, {}, 1);
    BOOST_TEST(std::abs(alone("a red dog", true, 0) - 10) <= tolerance::rewards);
}

BOOST_AUTO_TEST_CASE(weights_add_bleu) {
    const RewardCases cases;
    const CaptionReward cider(cases.references(), {1, 0}, 1), both(cases.references(), {2, 0.5}, 1),
        bleu_alone(cases.references(), {0, 1}, 1);
    for (const auto& row : cases.rows.at("captions")) {
        const auto caption = row.at("caption").get<std::string>();
        const std::size_t image = row.at("image");
        std::vector<Tokens> references;
        for (const std::string& text : cases.texts[image]) {
            references.push_back(CaptionReward::words(text));
            references.back().emplace_back("END");
        }
        Tokens words = CaptionReward::words(caption);
        words.emplace_back("END");
        const double expected = bleu({words}, {references}).per_image[0][3];
        BOOST_TEST(std::abs(bleu_alone(caption, true, image) - expected) <= tolerance::scores);
        BOOST_TEST(std::abs(both(caption, true, image) - 2 * cider(caption, true, image) - 0.5 * expected) <=
                   tolerance::rewards);
    }
    BOOST_TEST(both.signature() != cider.signature());
}

// By those of another collection, which has n-grams that no reference has and lacks others; through its file.
BOOST_AUTO_TEST_CASE(frequencies_of_another_collection) {
    const RewardCases cases;
    const TempDir folder;
    DocumentFrequencies written = CaptionReward::frequencies_of(RewardCases::views_of(cases.elsewhere), 2);
    written.split = "train";
    write_document_frequencies(folder / "df.json", written);
    const DocumentFrequencies read = CaptionReward::read_frequencies(folder / "df.json");
    BOOST_TEST((read.counts == written.counts && read.documents == 70));
    const CaptionReward own(cases.references(), {}, 1), reward(cases.references(), {}, 1, &read);
    for (const auto& row : cases.rows.at("captions")) {
        const double wanted = row.at("cider_elsewhere");
        const double got = reward(row.at("caption").get<std::string>(), row.at("ended"), row.at("image"));
        BOOST_TEST(std::abs(got - wanted) <= tolerance::rewards, row.at("caption"));
    }
    BOOST_TEST(reward.signature() != own.signature());
    // those of the collection itself are what is counted without a file
    const DocumentFrequencies same = CaptionReward::frequencies_of(cases.references(), 1);
    const CaptionReward again(cases.references(), {}, 1, &same);
    for (const auto& row : cases.rows.at("captions")) {
        const auto caption = row.at("caption").get<std::string>();
        BOOST_TEST(std::abs(again(caption, row.at("ended"), row.at("image")) -
                            own(caption, row.at("ended"), row.at("image"))) <= tolerance::rewards);
    }
}

BOOST_AUTO_TEST_CASE(frequencies_that_are_not_the_rewards_are_named) {
    BOOST_TEST(refusal(R"({"documents": 2, "df": {"a": 1}})").find("without their end token") != std::string::npos);
    BOOST_TEST(refusal(R"({"documents": 2, "end_token": "<eos>", "df": {"a": 1}})").find("'<eos>', of another") !=
               std::string::npos);
    BOOST_TEST(refusal(R"({"documents": 2, "end_token": "[SEP]", "split": "val", "df": {"a": 1}})")
                   .find("is of the split val") != std::string::npos);
    BOOST_TEST(refusal(R"({"documents": 2, "end_token": "[SEP]", "split": "train", "df": {"a [SEP]": 1}})") == "");
}

BOOST_AUTO_TEST_CASE(an_image_without_captions_has_no_reward) {
    BOOST_CHECK_THROW(CaptionReward({{"a dog"}, {}}, {}, 1), Error);
}

// With a table that lacks n-grams of references, and has others.
BOOST_AUTO_TEST_CASE(prepared_frequencies_are_those_of_the_table) {
    const RewardCases cases;
    std::vector<Tokens> hypotheses;
    std::vector<std::vector<Tokens>> references;
    for (const auto& row : cases.rows.at("captions")) {
        hypotheses.push_back(CaptionReward::words(row.at("caption").get<std::string>()));
        auto& own = references.emplace_back();
        for (const std::string& text : cases.texts[row.at("image").get<std::size_t>()])
            own.push_back(CaptionReward::words(text));
    }
    DocumentFrequencies counted = document_frequencies(cases.references(), 1);
    const CiderScorer scorer(counted);
    // the same, by images that are each scored once with these references
    std::vector<Tokens> firsts;
    std::vector<std::vector<Tokens>> all;
    for (const auto& of_image : cases.texts) {
        auto& own = all.emplace_back();
        for (const std::string& text : of_image) own.push_back(CaptionReward::words(text));
        firsts.push_back(own.front());
    }
    const CaptionScores with = cider(firsts, all, &scorer), without = cider(firsts, all);
    for (std::size_t i = 0; i < firsts.size(); ++i) BOOST_TEST(with.per_image[i] == without.per_image[i]);

    const CiderReferences prepared(all);
    const CaptionScores many = cider(hypotheses, references, &scorer);
    for (std::size_t i = 0; i < hypotheses.size(); ++i) {
        const std::size_t image = cases.rows.at("captions")[i].at("image");
        BOOST_TEST(std::abs(prepared.score(hypotheses[i], image) - many.per_image[i]) <= tolerance::scores);
    }
    // an n-gram that the table lacks is as rare as one in a single document, whatever it begins with
    std::erase_if(counted.counts, [](const auto& entry) { return entry.second == 1; });
    const CiderScorer fewer(counted);
    const CaptionScores again = cider(hypotheses, references, &fewer);
    for (std::size_t i = 0; i < hypotheses.size(); ++i)
        BOOST_TEST(std::abs(again.per_image[i] - many.per_image[i]) <= tolerance::scores);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

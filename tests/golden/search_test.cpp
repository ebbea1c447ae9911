// Beam search and greedy search over table language models, and sampling's filters, against what the reference's
// generation code produced; with --search transformers against what transformers' gives.
#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "blip/generate/beam_search.h"
#include "blip/generate/sampling.h"
#include "tests/golden/search_settings.h"
#include "tests/support/paths.h"
#include "tests/support/torch_safetensors.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

// logits = table[position of the last token, last token]
class TableModel : public NextTokenModel {
  public:
    explicit TableModel(at::Tensor table_PVV) : table_(std::move(table_PVV)) {}
    at::Tensor start(const at::Tensor& prompts_BP) override {
        position_ = prompts_BP.size(1) - 1;
        return table_[position_].index_select(0, prompts_BP.select(1, position_));
    }
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor&) override {
        return table_[++position_].index_select(0, tokens_R);
    }

  private:
    at::Tensor table_;
    std::int64_t position_ = 0;
};

at::Tensor to_tensor(const std::vector<std::vector<std::int64_t>>& rows) {
    std::vector<at::Tensor> parts;
    for (const auto& row : rows) parts.push_back(at::tensor(row));
    return at::stack(parts);
}

}    // namespace

BOOST_AUTO_TEST_SUITE(search)

BOOST_AUTO_TEST_CASE(table_models_equal_reference, *boost::unit_test::precondition(has_golden)) {
    const nlohmann::json golden = read_json(golden_file("search.json.gz"));
    const SafetensorsFile tables = SafetensorsFile::open(golden_file("search_tables.safetensors"));
    SearchTokens special;
    special.end = golden.at("end_token");
    special.pad = golden.at("pad_token");
    int equal = 0, compared = 0, marked = 0, ties = 0;
    for (const auto& test : golden.at("cases")) {
        bool whole_case = true;
        const bool has_ties = test.at("exact_ties_in_logits");
        const GenerateOptions options = search_settings(test.at("settings"));
        TableModel model(tables.tensor(test.at("table")));
        const auto results = generate(model, to_tensor(test.at("prompt").get<std::vector<std::vector<std::int64_t>>>()),
                                      options, special);
        for (std::size_t i = 0; i < results.size(); ++i) {
            std::vector<std::int64_t> wanted = test.at("output")[i], got = results[i].tokens;
            got.resize(std::max(got.size(), wanted.size()), special.pad);
            wanted.resize(got.size(), special.pad);
            const bool same = got == wanted;
            whole_case = whole_case && same;
            BOOST_TEST((same || has_ties), test.dump());
        }
        BOOST_TEST(results.size() == test.at("output").size());
        ++compared;
        equal += whole_case ? 1 : 0;
        marked += has_ties ? 1 : 0;
        ties += !whole_case && has_ties ? 1 : 0;
    }
    BOOST_TEST_MESSAGE("compared: " << equal << " of " << compared << " searches equal the reference's; of the "
                                    << marked << " with equal logits, " << ties
                                    << " differ where these leave the order open");
    BOOST_TEST(compared > 0);
}

BOOST_AUTO_TEST_CASE(table_models_equal_transformers) {
    const nlohmann::json golden = read_json(repository_root() / "tests/golden/data/transformers_search.json");
    const SearchTokens special{golden.at("end_token"), golden.at("pad_token")};
    std::vector<at::Tensor> tables;
    for (const auto& table : golden.at("tables")) {
        std::vector<at::Tensor> positions;
        for (const auto& position : table) positions.push_back(to_tensor(position));
        tables.push_back(at::stack(positions).to(at::kFloat) / 64);
    }
    std::size_t captions = 0, by_the_reference = 0;
    for (const auto& test : golden.at("cases")) {
        const std::vector<std::vector<std::int64_t>> wanted = test.at("output");
        GenerateOptions options = search_settings(test.at("settings"));
        options.num_captions = options.num_beams;
        const auto search = [&](const char* rules) {
            options.search = rules;
            TableModel model(tables.at(test.at("table")));
            return generate(model, to_tensor(test.at("prompt")), options, special);
        };
        const auto results = search("transformers"), reference = search("blip");
        BOOST_TEST_REQUIRE(results.size() == wanted.size());
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            BOOST_TEST(results[i].tokens == wanted[i], test.dump());
            by_the_reference += reference[i].tokens == wanted[i] ? 1 : 0;
        }
        captions += wanted.size();
    }
    BOOST_TEST_MESSAGE("compared: " << captions << " captions, " << by_the_reference
                                    << " of them the same by the reference's rules");
    BOOST_TEST(captions > 700U);
    BOOST_TEST(by_the_reference < captions - 200);    // else these cases do not tell the rules apart
}

BOOST_AUTO_TEST_CASE(sampling_filters_equal_reference, *boost::unit_test::precondition(has_golden)) {
    const nlohmann::json golden = read_json(golden_file("search.json.gz"));
    int equal = 0, compared = 0;
    double worst = 0;
    for (const auto& test : golden.at("sampling_filters")) {
        GenerateOptions options;
        options.sample = true;
        options.min_length = test.at("min_length");
        options.repetition_penalty = test.at("repetition_penalty");
        options.top_k = test.at("top_k");
        options.top_p = test.at("top_p");
        const at::Tensor logits = at::tensor(test.at("logits").get<std::vector<float>>()).unsqueeze(0);
        const at::Tensor adjusted = adjusted_logits(logits, {test.at("sequence").get<std::vector<std::int64_t>>()},
                                                    options, test.at("end_token").get<std::int64_t>());
        const std::vector<double> wanted = test.at("probabilities");
        std::vector<double> got(wanted.size(), 0);
        for (const Candidate& candidate : candidates(adjusted[0], options))
            got[static_cast<std::size_t>(candidate.token)] = candidate.probability;
        double difference = 0;
        for (std::size_t i = 0; i < wanted.size(); ++i) difference = std::max(difference, std::abs(got[i] - wanted[i]));
        worst = std::max(worst, difference);
        ++compared;
        equal += difference <= tolerance::sampling_filters ? 1 : 0;
    }
    BOOST_TEST_MESSAGE("compared: " << equal << " of " << compared
                                    << " filtered distributions equal the reference's, largest difference " << worst);
    BOOST_TEST(compared > 0);
    BOOST_TEST(equal == compared);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// Beam search and greedy search over table language models against what the reference's generation code produced.
#include <ATen/TensorOperators.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>

#include "blip/model/beam_search.h"
#include "blip/weights/safetensors.h"
#include "tests/support/paths.h"

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
    int equal = 0, compared = 0, ties = 0;
    for (const auto& test : golden.at("cases")) {
        const auto& settings = test.at("settings");
        GenerateOptions options;
        options.num_beams = settings.at("num_beams");
        options.max_length = settings.at("max_length");
        options.min_length = settings.at("min_length");
        options.length_penalty = settings.at("length_penalty");
        options.repetition_penalty = settings.at("repetition_penalty");
        TableModel model(tables.tensor(test.at("table")));
        const auto results = generate(model, to_tensor(test.at("prompt").get<std::vector<std::vector<std::int64_t>>>()),
                                      options, special);
        for (std::size_t i = 0; i < results.size(); ++i) {
            std::vector<std::int64_t> wanted = test.at("output")[i], got = results[i].tokens;
            got.resize(std::max(got.size(), wanted.size()), special.pad);
            wanted.resize(got.size(), special.pad);
            const bool same = got == wanted;
            ++compared;
            equal += same ? 1 : 0;
            ties += !same && test.at("exact_ties_in_logits").get<bool>() ? 1 : 0;
            BOOST_TEST((same || test.at("exact_ties_in_logits").get<bool>()), test.dump());
        }
    }
    BOOST_TEST_MESSAGE(equal << " of " << compared << " searches equal the reference's; " << ties
                             << " differ where equal logits leave the order open");
    BOOST_TEST(compared > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

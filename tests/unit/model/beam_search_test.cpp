// Search over table language models against what the reference's generation code produced, and the cached decoder
// against the plain forward pass.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>
#include <cstring>

#include "blip/model/beam_search.h"
#include "blip/params/arena.h"
#include "tests/support/paths.h"
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

// The F32 tensors of a trusted safetensors file.
class Tables {
  public:
    explicit Tables(const Path& file) : bytes_(read_bytes(file)) {
        std::uint64_t length = 0;
        std::memcpy(&length, bytes_.data(), sizeof length);
        header_ = nlohmann::json::parse(bytes_.substr(8, length));
        data_ = bytes_.data() + 8 + length;
    }
    at::Tensor get(const std::string& name) {
        const auto& entry = header_.at(name);
        const std::vector<std::int64_t> shape = entry.at("shape");
        return at::from_blob(data_ + entry.at("data_offsets")[0].get<std::int64_t>(), shape,
                             at::TensorOptions().dtype(at::kFloat))
            .clone();
    }

  private:
    std::string bytes_;
    nlohmann::json header_;
    char* data_ = nullptr;
};

at::Tensor to_tensor(const std::vector<std::vector<std::int64_t>>& rows) {
    std::vector<at::Tensor> parts;
    for (const auto& row : rows) parts.push_back(at::tensor(row));
    return at::stack(parts);
}

ModelOptions small_model() {
    ModelOptions options;
    options.text_hidden = 24;
    options.text_heads = 3;
    options.text_intermediate = 40;
    options.text_layers = 2;
    options.text_positions = 32;
    options.vision_width = 16;
    options.vision_depth = 2;
    options.vision_heads = 2;
    options.image_size = 32;
    return options;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(beam_search)

BOOST_AUTO_TEST_CASE(table_models_equal_reference, *boost::unit_test::precondition(has_golden)) {
    const nlohmann::json golden = read_json(golden_file("search.json.gz"));
    Tables tables(golden_file("search_tables.safetensors"));
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
        TableModel model(tables.get(test.at("table")));
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

BOOST_AUTO_TEST_CASE(cached_decoder_equals_plain_pass) {
    const Captioner captioner(small_model());
    Arena arena(captioner.layout(), 1, 1 << 20, host_allocator(), false);
    initialise(arena, 3);
    const c10::AutoGradMode no_gradients(false);
    const Weights& weights = arena.weights();
    const at::Tensor images = at::randint(0, 256, {2, 3, 32, 32}, at::kByte);
    const at::Tensor tokens = at::randint(1000, 2000, {2, 6}, at::kLong);
    const at::Tensor embeds = captioner.vision().forward(weights, images);
    DropoutMasks none = DropoutMasks::none();
    const at::Tensor plain =
        captioner.text().head(weights, captioner.text().forward(weights, tokens, embeds, {}, none));

    CaptionModel cached(captioner, weights, images);
    at::Tensor logits = cached.start(tokens.narrow(1, 0, 3));
    const auto close = [](const at::Tensor& a, const at::Tensor& b) {
        return (a - b).abs().max().item<double>() <= tolerance::cached_decoder * b.abs().max().item<double>();
    };
    BOOST_TEST(close(logits, plain.select(1, 2)));
    // three beams an image, all the same: every row goes on like the plain pass
    logits = cached.advance(tokens.select(1, 3).repeat_interleave(3), at::tensor({0L, 0L, 0L, 1L, 1L, 1L}));
    BOOST_TEST(close(logits, plain.select(1, 3).repeat_interleave(3, 0)));
    logits = cached.advance(tokens.select(1, 4).repeat_interleave(3), at::tensor({2L, 0L, 1L, 5L, 3L, 3L}));
    BOOST_TEST(close(logits, plain.select(1, 4).repeat_interleave(3, 0)));
}

BOOST_AUTO_TEST_CASE(captions_share_the_image_they_name) {
    const Captioner captioner(small_model());
    Arena arena(captioner.layout(), 1, 1 << 20, host_allocator(), false);
    initialise(arena, 4);
    const c10::AutoGradMode no_gradients(false);
    const at::Tensor embeds =
        captioner.vision().forward(arena.weights(), at::randint(0, 256, {2, 3, 32, 32}, at::kByte));
    const at::Tensor tokens = at::randint(1000, 2000, {3, 5}, at::kLong), owner = at::tensor({1L, 0L, 1L});
    DropoutMasks none = DropoutMasks::none();
    const auto pass = [&](const at::Tensor& images, const at::Tensor& of_caption) {
        return captioner.text().forward(arena.weights(), tokens, images, of_caption, none);
    };
    BOOST_TEST((pass(embeds, owner) - pass(embeds.index_select(0, owner), {})).abs().max().item<double>() <=
               tolerance::cached_decoder);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

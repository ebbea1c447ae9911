// The log-probability that comes with a caption, against the sum over the whole caption given to the decoder at once.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "blip/eval/evaluator.h"
#include "blip/model/beam_search.h"
#include "blip/options/parse.h"
#include "blip/params/arena.h"
#include "blip/text/caption_text.h"
#include "tests/support/paths.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

// A network of random weights, large enough that tokens differ in probability, with a leaning to the end token.
struct RandomModel {
    RandomModel() : captioner(shape()), arena(weights_only_arena(captioner.layout())) {
        initialise(arena, 3);
        arena.flat_weights().mul_(4);
        const ParamId bias = captioner.layout().find("text_decoder.cls.predictions.bias");
        arena.weights()[static_cast<std::size_t>(bias)][SearchTokens().end] = 10.0;
    }
    static ModelOptions shape() {
        ModelOptions model = model_preset("tiny");
        model.text_layers = model.vision_depth = 2;
        model.image_size = 32;
        return model;
    }
    const c10::AutoGradMode no_gradients{false};
    Captioner captioner;
    Arena arena;
};

at::Tensor pictures(std::int64_t count) {
    const at::Tensor values = at::arange(count * 3 * 32 * 32);
    return ((values * 7 + values.div(96, "floor") * 31) % 251).to(at::kByte).view({count, 3, 32, 32});
}

// Sum of log p(token | picture, tokens before) from one pass over the whole text. without_end_before: the end token is
// no choice before this length (greedy search; in beam search its probability is lost instead).
double sum_over_text(const RandomModel& model, const at::Tensor& picture_13SS, const std::vector<std::int64_t>& tokens,
                     std::int64_t prompt_length, std::int64_t without_end_before) {
    const Weights& weights = model.arena.weights();
    DropoutMasks none = DropoutMasks::none();
    const at::Tensor text = at::tensor(tokens).unsqueeze(0);
    const at::Tensor embeds = model.captioner.vision().forward(weights, picture_13SS);
    const at::Tensor hidden = model.captioner.text().forward(weights, text, embeds, {}, none);
    const at::Tensor logits = model.captioner.text().head(weights, hidden[0]).to(at::kDouble);
    for (std::int64_t t = 0; t + 1 < without_end_before; ++t)
        logits[t][SearchTokens().end] = -std::numeric_limits<double>::infinity();
    const at::Tensor log_p = at::log_softmax(logits, -1);
    double sum = 0;
    for (auto t = static_cast<std::size_t>(prompt_length); t < tokens.size(); ++t)
        sum += log_p[static_cast<std::int64_t>(t) - 1][tokens[t]].item<double>();
    return sum;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(log_probability)

BOOST_AUTO_TEST_CASE(equals_the_sum_over_the_text) {
    const RandomModel model;
    const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    const WordPieceTokenizer tokenizer(vocabulary);
    constexpr std::int64_t count = 6;
    const at::Tensor images = pictures(count);
    int ended = 0, cut = 0;
    for (const int beams : {1, 3}) {
        for (const int min_length : {0, 7}) {
            GenerateOptions options;
            options.num_beams = beams;
            options.min_length = min_length;
            options.max_length = 12;
            const std::vector<TokenId> prompt = prompt_tokens(tokenizer, options.prompt);
            const auto length = static_cast<std::int64_t>(prompt.size());
            const at::Tensor prompts =
                at::tensor(std::vector<std::int64_t>(prompt.begin(), prompt.end())).repeat({count, 1});
            CaptionModel search(model.captioner, model.arena.weights(), images);
            const std::vector<Generated> found = generate(search, prompts, options);
            const auto captions = caption_images(model.captioner, model.arena.weights(), images, tokenizer, options);
            for (std::int64_t i = 0; i < count; ++i) {
                const Generated& one = found[static_cast<std::size_t>(i)];
                const double expected =
                    sum_over_text(model, images.narrow(0, i, 1), one.tokens, length, beams == 1 ? min_length : 0);
                BOOST_TEST_CONTEXT("beams " << beams << ", shortest " << min_length << ", picture " << i) {
                    BOOST_TEST(std::abs(one.log_probability - expected) <= tolerance::log_probability);
                    BOOST_TEST(captions[static_cast<std::size_t>(i)].log_probability == one.log_probability);
                }
                ++(one.tokens.back() == SearchTokens().end ? ended : cut);
            }
        }
    }
    // both kinds of captions were seen: with an end token, which counts, and cut at the longest length
    BOOST_TEST(ended > 0);
    BOOST_TEST(cut > 0);
    BOOST_TEST_MESSAGE(ended << " captions ended, " << cut << " were cut");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

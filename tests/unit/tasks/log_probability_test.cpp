// The log-probability that comes with a caption, against the sum over the whole caption given to the decoder at once.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "blip/generate/beam_search.h"
#include "blip/options/parse.h"
#include "blip/params/arena.h"
#include "blip/tasks/caption/evaluator.h"
#include "blip/text/caption_text.h"
#include "tests/support/paths.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

// A network of random weights, large enough that tokens differ in probability (norms' gains grow too: with 4 for 3,
// attention is so sharp that rounding of the picture's encoding moves logits by 1e-3), with a leaning to the end token.
struct RandomModel {
    RandomModel() : captioner(shape()), arena(weights_only_arena(captioner.layout())) {
        initialise(arena, 3);
        arena.flat_weights().mul_(3);
        const ParamId bias = captioner.layout().find("text_decoder.cls.predictions.bias");
        arena.weights()[static_cast<std::size_t>(bias)][SearchTokens().end] = 7.0;
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

// Sum of log p(token | picture, tokens before) from one pass over the whole text.
double sum_over_text(const RandomModel& model, const at::Tensor& picture_13SS, const std::vector<std::int64_t>& tokens,
                     std::int64_t prompt_length) {
    const Weights& weights = model.arena.weights();
    DropoutMasks none = DropoutMasks::none();
    const at::Tensor text = at::tensor(tokens).unsqueeze(0);
    const at::Tensor embeds = model.captioner.vision().forward(weights, picture_13SS);
    const at::Tensor hidden = model.captioner.text().forward(weights, text, embeds, none);
    const at::Tensor logits = model.captioner.text().head(weights, hidden[0]).to(at::kDouble);
    const at::Tensor log_p = at::log_softmax(logits, -1);
    double sum = 0;
    for (auto t = static_cast<std::size_t>(prompt_length); t < tokens.size(); ++t)
        sum += log_p[static_cast<std::int64_t>(t) - 1][tokens[t]].item<double>();
    return sum;
}

struct Setting {
    int beams;
    bool sample;
    double repetition_penalty;    // 0: the default
    int captions;
};

}    // namespace

BOOST_AUTO_TEST_SUITE(log_probability)

BOOST_AUTO_TEST_CASE(equals_the_sum_over_the_text) {
    const RandomModel model;
    const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    const WordPieceTokenizer tokenizer(vocabulary);
    constexpr std::int64_t count = 6;
    const at::Tensor images = pictures(count);
    int ended = 0, cut = 0;
    double worst = 0;
    for (const Setting& setting :
         {Setting{1, false, 0, 1}, Setting{1, false, 1.3, 1}, Setting{3, false, 0, 1}, Setting{3, false, 1.3, 3},
          Setting{5, false, 0, 5}, Setting{5, false, 1.3, 2}, Setting{1, true, 0, 3}, Setting{1, true, 1, 2}}) {
        for (const int min_length : {0, 7}) {
            for (const char* prompt : {"a picture of ", "", "a dog "}) {
                GenerateOptions options;
                options.num_beams = setting.beams;
                options.sample = setting.sample;
                options.repetition_penalty = setting.repetition_penalty;
                options.num_captions = setting.captions;
                options.min_length = min_length;
                options.max_length = 12;
                options.prompt = prompt;
                const std::vector<TokenId> tokens = prompt_tokens(tokenizer, options.prompt);
                const auto length = static_cast<std::int64_t>(tokens.size());
                BOOST_TEST(length == (options.prompt.empty() ? 1 : options.prompt == "a dog " ? 3 : 4));
                const at::Tensor prompts =
                    at::tensor(std::vector<std::int64_t>(tokens.begin(), tokens.end())).repeat({count, 1});
                CaptionModel search(model.captioner, model.arena.weights(), images);
                const std::vector<Generated> found = generate(search, prompts, options, {}, {5, {1, 2, 3, 4, 5, 6}});
                BOOST_TEST(found.size() == static_cast<std::size_t>(count * setting.captions));
                for (std::size_t i = 0; i < found.size(); ++i) {
                    const auto picture = static_cast<std::int64_t>(i) / setting.captions;
                    const double expected = sum_over_text(model, images.narrow(0, picture, 1), found[i].tokens, length);
                    const double difference = std::abs(found[i].log_probability - expected);
                    worst = std::max(worst, difference);
                    BOOST_TEST(difference <= tolerance::log_probability,
                               found[i].log_probability << " instead of " << expected << ": beams " << setting.beams
                                                        << ", sample " << setting.sample << ", penalty "
                                                        << options.penalty() << ", shortest " << min_length
                                                        << ", prompt '" << prompt << "', caption " << i);
                    ++(found[i].tokens.back() == SearchTokens().end ? ended : cut);
                }
            }
        }
    }
    // both kinds of captions were seen: with an end token, which counts, and cut at the longest length
    BOOST_TEST(ended > 0);
    BOOST_TEST(cut > 0);
    BOOST_TEST_MESSAGE(ended << " captions ended, " << cut << " were cut; largest difference " << worst);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

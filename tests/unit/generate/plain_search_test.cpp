// Generation on the decoder's cache, with an image's keys shared by its beams, against the same generation over a model
// that computes the whole sequence anew for each token: the same captions, the same log-probabilities.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "blip/generate/beam_search.h"
#include "blip/options/parse.h"
#include "blip/params/arena.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

class PlainModel : public NextTokenModel {
  public:
    PlainModel(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS)
        : captioner_(captioner), weights_(weights), embeds_INW_(captioner.vision().forward(weights, images_I3SS)) {}

    at::Tensor start(const at::Tensor& prompts_BP) override {
        tokens_RT_ = prompts_BP;
        image_of_row_ = at::arange(prompts_BP.size(0));
        return logits();
    }
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) override {
        tokens_RT_ = at::cat({tokens_RT_.index_select(0, parents_R), tokens_R.unsqueeze(1)}, 1);
        image_of_row_ = image_of_row_.index_select(0, parents_R);
        return logits();
    }

  private:
    at::Tensor logits() const {
        DropoutMasks none = DropoutMasks::none();
        const at::Tensor hidden =
            captioner_.text().forward(weights_, tokens_RT_, embeds_INW_.index_select(0, image_of_row_), none);
        return captioner_.text().head(weights_, hidden.select(1, -1));
    }

    const Captioner& captioner_;
    const Weights& weights_;
    at::Tensor embeds_INW_, tokens_RT_, image_of_row_;
};

ModelOptions small_shape() {
    ModelOptions model = model_preset("tiny");
    model.text_layers = model.vision_depth = 2;
    model.image_size = 32;
    return model;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(plain_search)

BOOST_AUTO_TEST_CASE(cached_generation_equals_the_plain_one) {
    const c10::AutoGradMode no_gradients(false);
    const Captioner captioner(small_shape());
    Arena arena = weights_only_arena(captioner.layout());
    initialise(arena, 5);
    arena.flat_weights().mul_(3);    // so that tokens differ in probability
    const Weights& weights = arena.weights();
    weights[static_cast<std::size_t>(captioner.layout().find("text_decoder.cls.predictions.bias"))][102] = 7.0;
    constexpr std::int64_t count = 5;
    const at::Tensor values = at::arange(count * 3 * 32 * 32);
    const at::Tensor images =
        ((values * 7 + values.div(96, "floor") * 31) % 251).to(at::kByte).view({count, 3, 32, 32});
    int compared = 0;
    double worst = 0;
    for (const int beams : {1, 2, 3, 5}) {
        for (const bool sample : {false, true}) {
            for (const double penalty : {0.0, 1.3}) {
                for (const auto& prompt : {std::vector<std::int64_t>{30522, 1037, 3861, 1997}, {30522}}) {
                    GenerateOptions options;
                    options.num_beams = beams;
                    options.num_captions = beams;    // sampling draws as many
                    options.sample = sample;
                    options.repetition_penalty = penalty;
                    options.max_length = 14;
                    const at::Tensor prompts = at::tensor(prompt).repeat({count, 1});
                    const DrawKeys keys{3, {1, 2, 3, 4, 5}};
                    CaptionModel cached(captioner, weights, images);
                    PlainModel plain(captioner, weights, images);
                    const auto got = generate(cached, prompts, options, {}, keys);
                    const auto wanted = generate(plain, prompts, options, {}, keys);
                    BOOST_TEST(got.size() == static_cast<std::size_t>(count * beams));
                    BOOST_TEST_REQUIRE(got.size() == wanted.size());
                    for (std::size_t i = 0; i < got.size(); ++i) {
                        BOOST_TEST(got[i].tokens == wanted[i].tokens, "beams " << beams << ", sample " << sample
                                                                               << ", penalty " << penalty
                                                                               << ", caption " << i);
                        const double difference = std::abs(got[i].log_probability - wanted[i].log_probability);
                        worst = std::max(worst, difference);
                        BOOST_TEST(difference <= tolerance::log_probability);
                        ++compared;
                    }
                }
            }
        }
    }
    BOOST_TEST_MESSAGE(compared << " captions, the same with the cache and without; log-probabilities within "
                                << worst);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

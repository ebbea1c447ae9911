// Search over table language models against what the reference's generation code produced, and the cached decoder
// against the plain forward pass.
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>

#include "blip/generate/beam_search.h"
#include "blip/params/arena.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

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
    const at::Tensor plain = captioner.text().head(weights, captioner.text().forward(weights, tokens, embeds, none));

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

BOOST_AUTO_TEST_CASE(captions_of_an_image_share_it) {
    const Captioner captioner(small_model());
    Arena arena(captioner.layout(), 1, 1 << 20, host_allocator(), false);
    initialise(arena, 4);
    const c10::AutoGradMode no_gradients(false);
    const at::Tensor embeds =
        captioner.vision().forward(arena.weights(), at::randint(0, 256, {2, 3, 32, 32}, at::kByte));
    const at::Tensor tokens = at::randint(1000, 2000, {6, 5}, at::kLong);
    DropoutMasks none = DropoutMasks::none();
    const auto pass = [&](const at::Tensor& images) {
        return captioner.text().forward(arena.weights(), tokens, images, none);
    };
    BOOST_TEST((pass(embeds) - pass(embeds.repeat_interleave(3, 0))).abs().max().item<double>() <=
               tolerance::cached_decoder);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// The faster or smaller paths against the plain one, on the reference's weights, pictures and captions: attention
// kernels, gradient checkpointing, bf16. Each with its own tolerance. (Buckets of any size: tests/ranks.)
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>

#include "blip/generate/beam_search.h"
#include "blip/tasks/caption/loss.h"
#include "blip/text/caption_text.h"
#include "tests/support/torch_golden_model.h"
#include "tests/support/torch_safetensors.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

struct Pass {
    at::Tensor embeds, loss, gradients;    // gradients: the whole arena
};

// Forward and backward over the golden batch.
Pass run(const GoldenModel& model, int recomputed_blocks = 0) {
    const SafetensorsFile batch = SafetensorsFile::open(golden_file("forward.safetensors"));
    const at::Tensor tokens = batch.tensor("input_ids"), mask = batch.tensor("attention_mask");
    const at::Tensor images = batch.tensor("images_u8");
    const Weights& weights = model.arena.weights();
    model.arena.flat_gradients().zero_();
    DropoutMasks none = DropoutMasks::none();
    const at::Tensor loss = caption_loss(model.captioner, weights, images, tokens,
                                         trained_tokens(to_vector(tokens), to_vector(mask.sum(1)), 4), label_smoothing,
                                         none, {}, recomputed_blocks);
    loss.backward();
    const c10::AutoGradMode no_gradients(false);
    return {model.captioner.vision().forward(weights, images), loss.detach(), model.arena.flat_gradients().clone()};
}

// The math kernel instead of the fused one, as long as it lives.
class MathAttention {
  public:
    MathAttention() { at::globalContext().setSDPUseFlash(false); }
    ~MathAttention() { at::globalContext().setSDPUseFlash(true); }
};

}    // namespace

BOOST_AUTO_TEST_SUITE(accelerated)

BOOST_AUTO_TEST_CASE(attention_kernels_agree, *boost::unit_test::precondition(has_golden)) {
    const auto model = load_golden_model();
    const Pass fused = run(*model);
    Pass math;
    {
        const MathAttention plain;
        math = run(*model);
    }
    BOOST_TEST(!math.embeds.equal(fused.embeds));    // two kernels, and not one twice
    const double of_embeds = relative_difference(fused.embeds, math.embeds);
    const double of_loss = relative_difference(fused.loss.view({1}), math.loss.view({1}));
    const double largest = math.gradients.abs().max().item<double>();
    const Layout& layout = model->captioner.layout();
    double worst = 0;
    for (ParamId id = 0; id < layout.count(); ++id) {
        const std::string& name = layout.spec(id).name;
        const std::int64_t count = layout.spec(id).element_count();
        const at::Tensor got = fused.gradients.narrow(0, model->arena.offset(id), count);
        const at::Tensor wanted = math.gradients.narrow(0, model->arena.offset(id), count);
        // a true gradient of zero: rounding of either kernel
        const bool zero = name.ends_with(".self.key.bias");
        const double difference =
            zero ? (got - wanted).abs().max().item<double>() / largest : relative_difference(got, wanted);
        BOOST_TEST(difference <= (zero ? tolerance::zero_gradient : tolerance::attention_kernel_gradients), name);
        if (!zero) worst = std::max(worst, difference);
    }
    BOOST_TEST_MESSAGE("compared: fused against math attention: image_embeds "
                       << of_embeds << ", loss " << of_loss << ", worst of " << layout.count() << " gradients "
                       << worst);
    BOOST_TEST(of_embeds <= tolerance::image_embeds);
    BOOST_TEST(of_loss <= tolerance::loss);
}

BOOST_AUTO_TEST_CASE(gradient_checkpointing_changes_no_bit, *boost::unit_test::precondition(has_golden)) {
    const auto model = load_golden_model();
    const Pass plain = run(*model);
    const int depth = model->captioner.options().vision_depth;
    for (int blocks = 1; blocks <= depth; ++blocks) {
        const Pass again = run(*model, blocks);
        BOOST_TEST(again.loss.equal(plain.loss));
        BOOST_TEST(again.gradients.equal(plain.gradients), blocks << " of " << depth << " blocks");
    }
    BOOST_TEST_MESSAGE("compared: " << depth << " x " << plain.gradients.numel() << " gradients equal bit for bit");
}

// bf16's loss and gradients: model_test.cpp.
BOOST_AUTO_TEST_CASE(bf16_captions_are_mostly_the_references,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_coco)) {
    const auto model = load_golden_model();
    const Layout& layout = model->captioner.layout();
    Arena arena = weights_only_arena(layout, {at::kCPU, at::kBFloat16});
    for (ParamId id = 0; id < layout.count(); ++id)
        arena.write_weights(arena.offset(id), {model->arena.weight_data() + model->arena.offset(id),
                                               static_cast<std::size_t>(layout.spec(id).element_count())});
    const c10::AutoGradMode no_gradients(false);
    const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
    const WordPieceTokenizer tokenizer(vocabulary);
    const std::vector<TokenId> prompt = prompt_tokens(tokenizer);
    const std::vector<std::string> files = model->golden.at("generation").at("images");
    const at::Tensor images = squashed_images(files, model->captioner.options().image_size);
    const at::Tensor prompts = at::tensor(std::vector<std::int64_t>(prompt.begin(), prompt.end()))
                                   .repeat({static_cast<std::int64_t>(files.size()), 1});
    CaptionModel exact(model->captioner, model->arena.weights(), images);
    CaptionModel rounded(model->captioner, arena.weights(), images);
    const auto wanted = generate(exact, prompts, {}), got = generate(rounded, prompts, {});
    std::size_t equal = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) equal += got[i].tokens == wanted[i].tokens ? 1 : 0;
    BOOST_TEST_MESSAGE("compared: " << equal << " of " << wanted.size() << " captions are the same in bf16");
    BOOST_TEST(static_cast<double>(equal) >= tolerance::bf16_equal_captions * static_cast<double>(wanted.size()));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// The network on a GPU against its CPU twin: embeddings, loss, every gradient, captions; fp32 and bf16.
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <c10/cuda/CUDAFunctions.h>

#include <boost/test/unit_test.hpp>

#include "blip/device/device.h"
#include "blip/generate/beam_search.h"
#include "blip/kernels/drop_path.h"
#include "blip/optim/adamw.h"
#include "blip/optim/grad_reducer.h"
#include "blip/tasks/caption/loss.h"
#include "tests/gpu/gpu.h"
#include "tests/support/self_communicator.h"
#include "tests/support/torch_golden_model.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

constexpr std::int64_t pictures = 3, tokens_each = 9;
constexpr int prompt_length = 4;

ModelOptions twin_shape() {
    ModelOptions shape;
    shape.text_hidden = 96;
    shape.text_heads = 4;
    shape.text_intermediate = 192;
    shape.text_layers = 3;
    shape.text_positions = 32;
    shape.vision_width = 64;
    shape.vision_depth = 3;
    shape.vision_heads = 4;
    shape.image_size = 96;
    return shape;
}

// One set of weights, pictures and tokens on a device.
struct Twin {
    Captioner captioner{twin_shape()};
    Arena arena;
    at::Tensor images_I3SS, tokens_CT;

    Twin(ArenaPlacement placement, const at::Tensor& images, const at::Tensor& tokens)
        : arena(captioner.layout(), 1, 1 << 18, device_allocator(placement.device), true, placement),
          images_I3SS(images.to(placement.device)),
          tokens_CT(tokens.to(placement.device)) {
        initialise(arena, 11);
    }

    // Fills the gradients.
    double loss(int recomputed_blocks = 0) {
        std::vector<std::int64_t> flat, lengths(static_cast<std::size_t>(pictures), tokens_each);
        const at::Tensor host = tokens_CT.cpu().contiguous();
        flat.assign(static_cast<const std::int64_t*>(host.const_data_ptr()),
                    static_cast<const std::int64_t*>(host.const_data_ptr()) + host.numel());
        lengths.back() = tokens_each - 2;
        DropoutMasks dropout(0.1, 77);
        arena.zero_gradients();
        const at::Tensor scales =
            drop_path_scales(twin_shape().vision_depth, pictures, 0.3, 78, 0, arena.placement().device);
        const at::Tensor value =
            caption_loss(captioner, arena.weights(), images_I3SS, tokens_CT,
                         trained_tokens(flat, lengths, prompt_length), 0.1, dropout, scales, recomputed_blocks);
        value.backward();
        return value.item<double>();
    }
    std::vector<Generated> captions() {
        const c10::AutoGradMode no_gradients(false);
        CaptionModel model(captioner, arena.weights(), images_I3SS);
        return generate(model, tokens_CT.cpu().narrow(1, 0, prompt_length), GenerateOptions{});
    }
};

struct Twins {
    at::Tensor images = at::randint(0, 256, {pictures, 3, 96, 96}, at::kByte);
    at::Tensor tokens = at::randint(1000, 30000, {pictures, tokens_each}, at::kLong);
    Twin cpu, device;

    explicit Twins(at::ScalarType precision)
        : cpu({at::kCPU, at::kFloat}, images, tokens), device({gpu, precision}, images, tokens) {
        use_device(gpu);
        set_numerics({});
    }
};

// Largest difference of two gradients, as a share of that parameter's largest; of the whole network's for attention key
// biases, whose true gradient is zero.
double worst_gradient(const Twins& twins) {
    const double largest = twins.cpu.arena.flat_gradients().abs().max().item<double>();
    double worst = 0;
    for (ParamId id = 0; id < twins.cpu.captioner.layout().count(); ++id) {
        const auto i = static_cast<std::size_t>(id);
        const std::string& name = twins.cpu.captioner.layout().spec(id).name;
        const at::Tensor wanted = twins.cpu.arena.weights()[i].grad();
        const at::Tensor got = twins.device.arena.weights()[i].grad().cpu();
        const bool zero = name.ends_with(".self.key.bias");
        worst = std::max(worst,
                         zero ? (got - wanted).abs().max().item<double>() / largest : relative_difference(got, wanted));
    }
    return worst;
}

// LibTorch throws from the second token to the last wherever the host would wait for the device. (The first makes
// workspaces; behind the last the captions are read.)
class UnwaitedModel : public NextTokenModel {
  public:
    UnwaitedModel(CaptionModel& model, int calls) : model_(model), left_(calls) {}
    ~UnwaitedModel() override { watch(false); }
    void expect_length(std::int64_t longest) override { model_.expect_length(longest); }
    at::Tensor start(const at::Tensor& prompts_BP) override { return model_.start(prompts_BP); }
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) override {
        BOOST_TEST((tokens_R.is_cuda() && parents_R.is_cuda()));
        at::Tensor logits = model_.advance(tokens_R, parents_R);
        watch(--left_ > 0);
        return logits;
    }
    int left() const { return left_; }

  private:
    static void watch(bool on) {
        c10::cuda::warning_state().set_sync_debug_mode(on ? c10::cuda::SyncDebugMode::L_ERROR
                                                          : c10::cuda::SyncDebugMode::L_DISABLED);
    }
    CaptionModel& model_;
    int left_;
};

}    // namespace

BOOST_AUTO_TEST_SUITE(model)

BOOST_AUTO_TEST_CASE(fp32_equals_the_cpu_twin) {
    Twins twins(at::kFloat);
    const at::Tensor embeds = twins.cpu.captioner.vision().forward(twins.cpu.arena.weights(), twins.cpu.images_I3SS);
    const at::Tensor on_gpu =
        twins.device.captioner.vision().forward(twins.device.arena.weights(), twins.device.images_I3SS);
    const double of_embeds = relative_difference(on_gpu.detach().cpu(), embeds.detach());
    const double wanted = twins.cpu.loss(), got = twins.device.loss();
    const double of_gradients = worst_gradient(twins);
    BOOST_TEST_MESSAGE("relative differences: image_embeds " << of_embeds << ", loss " << std::abs(got / wanted - 1)
                                                             << ", worst gradient " << of_gradients);
    BOOST_TEST(of_embeds <= tolerance::image_embeds);
    BOOST_TEST(std::abs(got / wanted - 1) <= tolerance::loss);
    BOOST_TEST(of_gradients <= tolerance::gradients);
}

BOOST_AUTO_TEST_CASE(fp32_captions_are_the_cpu_twins) {
    Twins twins(at::kFloat);
    const auto wanted = twins.cpu.captions(), got = twins.device.captions();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        BOOST_TEST(got[i].tokens == wanted[i].tokens, boost::test_tools::per_element());
        BOOST_TEST(std::abs(got[i].log_probability - wanted[i].log_probability) <=
                   tolerance::logits * std::abs(wanted[i].log_probability));
    }
}

// 37 tokens of a picture: rows of scores would not begin at multiples of 16 bytes.
BOOST_AUTO_TEST_CASE(keys_of_pictures_are_filled_up) {
    const c10::AutoGradMode no_gradients(false);
    Twins twins(at::kBFloat16);
    const at::Tensor embeds =
        twins.device.captioner.vision().forward(twins.device.arena.weights(), twins.device.images_I3SS);
    const auto cache = twins.device.captioner.text().start_cache(twins.device.arena.weights(), embeds);
    BOOST_TEST(cache.image_tokens == 37);
    for (const auto* of_layers : {&cache.cross_keys_IhNd, &cache.cross_values_IhNd})
        for (const at::Tensor& heads : *of_layers) BOOST_TEST(heads.size(2) == 40);
}

BOOST_AUTO_TEST_CASE(captions_of_the_reference_model,
                     *boost::unit_test::precondition(has_golden) * boost::unit_test::precondition(has_coco)) {
    const auto model = load_golden_model();
    const ArenaPlacement placement{gpu, at::kFloat};
    Arena arena = weights_only_arena(model->captioner.layout(), placement);
    for (ParamId id = 0; id < model->captioner.layout().count(); ++id) {
        const std::int64_t count = model->captioner.layout().spec(id).element_count();
        arena.write_weights(arena.offset(id),
                            {model->arena.weight_data() + model->arena.offset(id), static_cast<std::size_t>(count)});
    }
    std::vector<std::string> files;
    for (const auto& file : model->golden.at("generation").at("images")) files.push_back(file);
    const at::Tensor images = squashed_images(files, model->captioner.options().image_size);
    const at::Tensor prompt = at::tensor({30522L, 1037L, 3861L, 1997L}).repeat({images.size(0), 1});
    const c10::AutoGradMode no_gradients(false);
    CaptionModel here(model->captioner, model->arena.weights(), images);
    CaptionModel there(model->captioner, arena.weights(), images.to(gpu));
    const auto wanted = generate(here, prompt, {}), got = generate(there, prompt, {});
    int equal = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) equal += got[i].tokens == wanted[i].tokens ? 1 : 0;
    BOOST_TEST(equal == static_cast<int>(wanted.size()));
}

// LibTorch throws here wherever the host would wait for the device.
BOOST_AUTO_TEST_CASE(a_training_step_waits_for_nothing) {
    for (const at::ScalarType precision : {at::kFloat, at::kBFloat16}) {
        Twins twins(precision);
        Twin& twin = twins.device;
        SelfCommunicator communicator;
        GradReducer reducer(twin.arena, communicator);
        ShardedAdamW optimizer(twin.arena, communicator, {});
        initialise(twin.arena, 11, optimizer.weight_sink());
        const TrainedTokens trained =
            trained_tokens(std::vector<std::int64_t>(static_cast<std::size_t>(pictures * tokens_each), 1000),
                           std::vector<std::int64_t>(static_cast<std::size_t>(pictures), tokens_each), prompt_length);
        const at::Tensor found = staging_tensor({1}, at::kDouble, gpu);
        const auto step = [&] {
            reducer.begin_step();
            reducer.arm();
            DropoutMasks dropout(0.1, 5);
            const at::Tensor scales = drop_path_scales(twin_shape().vision_depth, pictures, 0.1, 6, 0, gpu);
            const at::Tensor loss = caption_loss(twin.captioner, twin.arena.weights(), twin.images_I3SS, twin.tokens_CT,
                                                 trained, 0.1, dropout, scales);
            loss.backward();
            reducer.finish();
            const auto result = optimizer.step(reducer, 1e-4, loss.detach());
            found.copy_(result.gradient_square_sum.reshape({1}), /*non_blocking=*/true);
        };
        step();    // workspaces of the libraries are made
        c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
        BOOST_CHECK_NO_THROW(step());
        c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
    }
}

BOOST_AUTO_TEST_CASE(a_beam_search_waits_for_nothing) {
    const c10::AutoGradMode no_gradients(false);
    for (const at::ScalarType precision : {at::kFloat, at::kBFloat16}) {
        for (const double penalty : {1.0, 1.3}) {
            Twins twins(precision);
            GenerateOptions options;
            options.max_length = options.min_length = 16;    // nothing ends before
            options.repetition_penalty = penalty;
            CaptionModel model(twins.device.captioner, twins.device.arena.weights(), twins.device.images_I3SS);
            UnwaitedModel unwaited(model, options.max_length - prompt_length - 1);
            std::vector<Generated> captions;
            BOOST_CHECK_NO_THROW(captions = generate(unwaited, twins.tokens.narrow(1, 0, prompt_length), options));
            BOOST_TEST(unwaited.left() == 0);
            BOOST_TEST(captions.size() == static_cast<std::size_t>(pictures));
        }
    }
}

// Recomputed on the engine's thread of the device, in its stream; deterministic, so that two passes can be compared.
BOOST_AUTO_TEST_CASE(gradient_checkpointing_changes_no_bit) {
    for (const at::ScalarType precision : {at::kFloat, at::kBFloat16}) {
        Twins twins(precision);
        set_numerics({.deterministic = true});
        Twin& twin = twins.device;
        const double plain = twin.loss();
        const at::Tensor gradients = twin.arena.flat_gradients().clone();
        for (const int blocks : {1, twin_shape().vision_depth}) {
            BOOST_TEST(twin.loss(blocks) == plain);
            BOOST_TEST(twin.arena.flat_gradients().equal(gradients), blocks << " blocks");
        }
        set_numerics({});
    }
}

BOOST_AUTO_TEST_CASE(bf16_stays_near_the_fp32_twin) {
    Twins twins(at::kBFloat16);
    const double wanted = twins.cpu.loss(), got = twins.device.loss();
    const at::Tensor wanted_flat = twins.cpu.arena.flat_gradients(),
                     got_flat = twins.device.arena.flat_gradients().cpu();
    const double of_gradients = (got_flat - wanted_flat).norm().item<double>() / wanted_flat.norm().item<double>();
    BOOST_TEST_MESSAGE("bf16 against fp32: loss " << std::abs(got / wanted - 1) << ", gradients " << of_gradients);
    BOOST_TEST(std::abs(got / wanted - 1) <= tolerance::bf16_loss);
    BOOST_TEST(of_gradients <= tolerance::bf16_gradients);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

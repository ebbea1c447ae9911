// Gradient checkpointing of the vision encoder against the plain path: losses and every gradient bit for bit, hooks
// once a parameter. (Over ranks: tests/ranks; a whole run: tests/end_to_end/train_recompute.sh.)
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/randint.h>
#include <torch/csrc/autograd/variable.h>

#include <boost/test/unit_test.hpp>
#include <cstring>

#include "blip/kernels/drop_path.h"
#include "blip/kernels/recompute.h"
#include "blip/optim/grad_reducer.h"
#include "blip/tasks/caption/loss.h"
#include "tests/support/self_communicator.h"

namespace blip::test {
namespace {

constexpr std::int64_t pictures = 3, tokens_each = 9;
constexpr int micro_batches = 3;

ModelOptions small_shape() {
    ModelOptions shape;
    shape.text_hidden = shape.vision_width = 32;
    shape.text_heads = shape.vision_heads = 2;
    shape.text_intermediate = 64;
    shape.text_layers = 2;
    shape.text_positions = 16;
    shape.vision_depth = 4;
    shape.image_size = 64;
    return shape;
}

struct Steps {
    std::vector<float> losses, gradients;
    int buckets = 0, started_by_hooks = 0;
    bool operator==(const Steps&) const = default;
};

// Several micro-batches of one step, the gradients adding up in the arena.
Steps step(int recomputed_blocks, at::ScalarType precision, double drop_path) {
    at::set_num_threads(1);    // tensors this small gain nothing from more
    const Captioner captioner(small_shape());
    SelfCommunicator communicator;
    Arena arena(captioner.layout(), 1, 1 << 16, host_allocator(), true, {at::kCPU, precision});
    initialise(arena, 3);
    GradReducer reducer(arena, communicator);
    Steps found;
    reducer.begin_step();
    for (int m = 0; m < micro_batches; ++m) {
        if (m + 1 == micro_batches) reducer.arm();
        at::Tensor images = at::randint(0, 256, {pictures, 3, 64, 64}, at::kByte);
        auto* pixels = static_cast<std::uint8_t*>(images.data_ptr());
        for (std::int64_t i = 0; i < images.numel(); ++i) pixels[i] = static_cast<std::uint8_t>((i * 31 + m * 7) % 251);
        std::vector<std::int64_t> tokens, lengths(pictures, tokens_each);
        for (std::int64_t i = 0; i < pictures * tokens_each; ++i) tokens.push_back(1000 + (i * 977 + m) % 20000);
        const at::Tensor tokens_CT = at::from_blob(tokens.data(), {pictures, tokens_each}, at::kLong);
        const auto key = static_cast<std::uint64_t>(m);
        DropoutMasks dropout(0.1, 10 + key);
        const at::Tensor scales =
            drop_path_scales(small_shape().vision_depth, pictures, drop_path, 20 + key, 0, at::kCPU);
        const at::Tensor loss =
            caption_loss(captioner, arena.weights(), images, tokens_CT, trained_tokens(tokens, lengths, 4), 0.1,
                         dropout, scales, recomputed_blocks);
        loss.backward();
        found.losses.push_back(loss.item<float>());
    }
    found.started_by_hooks = reducer.started_by_hooks();
    reducer.finish();
    found.buckets = static_cast<int>(arena.buckets().size());
    found.gradients.assign(arena.gradient_data(), arena.gradient_data() + arena.length());
    return found;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(recompute)

BOOST_AUTO_TEST_CASE(losses_gradients_and_hooks_are_those_of_the_plain_path) {
    std::size_t compared = 0;
    for (const at::ScalarType precision : {at::kFloat, at::kBFloat16}) {
        for (const double drop_path : {0.0, 0.5}) {
            const Steps plain = step(0, precision, drop_path);
            BOOST_TEST(plain.started_by_hooks == plain.buckets);
            for (const int blocks : {1, 3, small_shape().vision_depth}) {
                const Steps again = step(blocks, precision, drop_path);
                BOOST_TEST(again.losses == plain.losses, boost::test_tools::per_element());
                BOOST_TEST((again == plain), blocks << " blocks, drop path " << drop_path);
                BOOST_TEST(std::memcmp(again.gradients.data(), plain.gradients.data(),
                                       plain.gradients.size() * sizeof(float)) == 0);
                compared += plain.gradients.size();
            }
        }
    }
    BOOST_TEST_MESSAGE(compared << " gradients equal bit for bit");
    // what is compared depends on the scales, else the repetition of stochastic depth would show nothing
    BOOST_TEST((step(0, at::kFloat, 0.5).gradients != step(0, at::kFloat, 0).gradients));
}

BOOST_AUTO_TEST_CASE(only_the_input_is_kept_and_the_part_runs_twice) {
    int runs = 0;
    std::vector<bool> with_graph;
    const at::Tensor weight = at::randint(1, 9, {4}, at::kFloat).set_requires_grad(true);
    const auto part = [&](const at::Tensor& x) {
        ++runs;
        const at::Tensor y = (x * weight).exp();
        with_graph.push_back(y.requires_grad());
        return y;
    };
    const at::Tensor x = at::randint(0, 2, {4}, at::kFloat).set_requires_grad(true);
    const at::Tensor y = recomputed(part, x);
    BOOST_TEST(runs == 1);
    y.sum().backward();
    BOOST_TEST(runs == 2);
    BOOST_TEST(with_graph == (std::vector<bool>{false, true}), boost::test_tools::per_element());
    BOOST_TEST(x.grad().equal(y.detach() * weight.detach()));
    BOOST_TEST(weight.grad().equal(y.detach() * x.detach()));
    // without a gradient to compute there is nothing to recompute
    const at::Tensor plain = recomputed(part, x.detach());
    BOOST_TEST(runs == 3);
    BOOST_TEST(plain.requires_grad());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// What may not change a training run at any number of ranks: gradient checkpointing, and how gradients are grouped into
// buckets. Several steps of the real network with hooks, reduction and sharded AdamW.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <boost/test/unit_test.hpp>

#include "blip/kernels/drop_path.h"
#include "blip/optim/adamw.h"
#include "blip/optim/grad_reducer.h"
#include "blip/tasks/caption/loss.h"
#include "tests/support/ranks.h"

namespace blip::test {
namespace {

constexpr std::int64_t pictures = 2, tokens_each = 8, side = 32;
constexpr int steps = 3, micro_batches = 2;    // of each rank

ModelOptions small_shape() {
    ModelOptions shape;
    shape.text_hidden = shape.vision_width = 16;
    shape.text_heads = shape.vision_heads = 2;
    shape.text_intermediate = 32;
    shape.text_layers = 2;
    shape.text_positions = 16;
    shape.vision_depth = 3;
    shape.image_size = side;
    return shape;
}

struct Run {
    std::vector<float> losses;
    std::vector<at::Tensor> weights;    // by parameter
    std::size_t buckets = 0;
};

at::Tensor loss_of(const Captioner& captioner, const Arena& arena, std::uint64_t key, int recomputed_blocks) {
    const at::Tensor images = at::empty({pictures, 3, side, side}, at::kByte);
    auto* pixels = static_cast<std::uint8_t*>(images.data_ptr());
    for (std::int64_t i = 0; i < images.numel(); ++i)
        pixels[i] = static_cast<std::uint8_t>((static_cast<std::uint64_t>(i) * 37 + key * 11) % 253);
    std::vector<std::int64_t> tokens, lengths(pictures, tokens_each);
    for (std::int64_t i = 0; i < pictures * tokens_each; ++i)
        tokens.push_back(1000 + (i * 701 + static_cast<std::int64_t>(key)) % 20000);
    const at::Tensor tokens_CT =
        at::from_blob(tokens.data(), {pictures, tokens_each}, at::kLong).clone();    // backward reads it
    DropoutMasks dropout(0.1, key);
    const at::Tensor scales = drop_path_scales(small_shape().vision_depth, pictures, 0.4, key + 99, 0, at::kCPU);
    return caption_loss(captioner, arena.weights(), images, tokens_CT, trained_tokens(tokens, lengths, 4), 0.1, dropout,
                        scales, recomputed_blocks);
}

Run train(std::int64_t bucket_bytes, int recomputed_blocks) {
    Communicator& comm = world();
    at::set_num_threads(1);
    const Captioner captioner(small_shape());
    Arena arena(captioner.layout(), comm.size(), bucket_bytes, [&](std::size_t bytes) { return comm.allocate(bytes); });
    GradReducer reducer(arena, comm);
    OptimOptions options;
    ShardedAdamW optimizer(arena, comm, options);
    initialise(arena, 7, optimizer.weight_sink());
    Run run;
    run.buckets = arena.buckets().size();
    for (int step = 0; step < steps; ++step) {
        reducer.begin_step();
        for (int m = 0; m < micro_batches; ++m) {
            if (m + 1 == micro_batches) reducer.arm();
            const auto key = static_cast<std::uint64_t>((step * comm.size() + comm.rank()) * micro_batches + m);
            const at::Tensor loss = loss_of(captioner, arena, key, recomputed_blocks) * (0.5 / comm.size());
            loss.backward();
            run.losses.push_back(loss.item<float>());
        }
        BOOST_TEST(reducer.started_by_hooks() == static_cast<int>(run.buckets));
        reducer.finish();
        optimizer.step(reducer, 1e-3);
    }
    for (const at::Tensor& weight : arena.weights()) run.weights.push_back(weight.detach().clone());
    return run;
}

// Compares bit for bit; returns the number of values.
std::int64_t check_equal(const Run& a, const Run& b, const std::string& what) {
    BOOST_TEST(a.losses == b.losses, boost::test_tools::per_element());
    std::int64_t compared = 0, unequal = 0;
    for (std::size_t i = 0; i < a.weights.size(); ++i) {
        compared += a.weights[i].numel();
        unequal += a.weights[i].equal(b.weights[i]) ? 0 : 1;
    }
    BOOST_TEST(unequal == 0, what << ": " << unequal << " parameters differ");
    return compared;
}

BOOST_AUTO_TEST_SUITE(accelerated)

BOOST_AUTO_TEST_CASE(gradient_checkpointing_changes_no_bit) {
    const Run plain = train(1 << 15, 0);
    const std::int64_t compared = check_equal(train(1 << 15, 2), plain, "2 of 3 blocks recomputed");
    check_equal(train(1 << 15, 3), plain, "all blocks recomputed");
    BOOST_TEST_MESSAGE(compared << " weights after " << steps << " steps equal bit for bit, twice");
    BOOST_TEST((plain.losses.front() != plain.losses.back()));
}

// Each gradient is summed over the ranks in rank order, whatever lies beside it: bit for bit, not only within rounding.
BOOST_AUTO_TEST_CASE(buckets_of_any_size_change_no_bit) {
    const Run one = train(std::int64_t{1} << 40, 0);
    BOOST_TEST(one.buckets == 1U);
    std::size_t most = 0;
    std::int64_t compared = 0;
    for (const std::int64_t bytes : {1, 1 << 12, 1 << 20}) {
        const Run many = train(bytes, 0);
        most = std::max(most, many.buckets);
        compared += check_equal(many, one, std::to_string(many.buckets) + " buckets");
    }
    BOOST_TEST(most == Captioner(small_shape()).layout().placed_leaves().size());    // one for each leaf
    BOOST_TEST_MESSAGE(compared << " weights equal bit for bit, in 1 to " << most << " buckets");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

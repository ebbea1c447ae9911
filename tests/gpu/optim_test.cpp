// Arena, gradient reducer, sharded AdamW and checkpoints on a GPU against the same on the CPU: one rank.
#include "blip/optim/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAFunctions.h>

#include <boost/test/unit_test.hpp>
#include <limits>

#include "blip/checkpoint/checkpoints.h"
#include "blip/checkpoint/init.h"
#include "tests/gpu/gpu.h"
#include "tests/support/paths.h"
#include "tests/support/self_communicator.h"
#include "tests/tolerances.h"
#include "tests/unit/optim/toy_arena.h"

namespace blip::test {
namespace {

// One rank's training state on a device; gradients are written, not computed.
struct Training {
    SelfCommunicator communicator;
    Arena arena;
    GradReducer reducer;
    ShardedAdamW optimizer;

    explicit Training(ArenaPlacement placement)
        : arena(toy_layout(), 1, 2048, device_allocator(placement.device), true, placement),
          reducer(arena, communicator),
          optimizer(arena, communicator, {}) {
        write_toy(arena, optimizer.weight_sink(), 1);
    }
    at::Tensor toy_gradients(int step) const {
        const at::Tensor host = at::zeros({arena.length()}, at::kFloat);
        fill_toy(arena, {0, arena.length()}, static_cast<float*>(host.mutable_data_ptr()), 100 + step);
        return host;
    }
    // Nothing in step may wait for the device: LibTorch throws where it would.
    ShardedAdamW::StepResult update(const at::Tensor& gradients, const at::Tensor& loss) {
        reducer.begin_step();
        arena.flat_gradients().copy_(gradients);
        reducer.finish();
        auto& watch = c10::cuda::warning_state();
        if (!arena.flat_weights().is_cpu()) watch.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
        const auto result = optimizer.step(reducer, 3e-3, loss);
        watch.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
        return result;
    }
    at::Tensor loss(float value) const {
        return at::full({}, value, at::TensorOptions().dtype(at::kFloat).device(arena.placement().device));
    }
    // of all buckets, by parameter: layouts in memory differ with the precision
    std::vector<at::Tensor> masters() const {
        std::vector<at::Tensor> values;
        for (const Bucket& bucket : arena.buckets()) {
            const auto b = static_cast<std::size_t>(&bucket - arena.buckets().data());
            for (const ParamId id : bucket.params)
                values.push_back(
                    optimizer.masters()[b]
                        .narrow(0, arena.offset(id) - bucket.range.begin, arena.layout().spec(id).element_count())
                        .cpu());
        }
        return values;
    }
};

double worst_difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        worst = std::max(worst, (a[i] - b[i]).abs().max().item<double>() / b[i].abs().max().item<double>());
    return worst;
}

BOOST_AUTO_TEST_SUITE(optim_gpu)

BOOST_AUTO_TEST_CASE(weights_arrive_with_the_bits_of_the_cpu) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        Arena on_cpu = weights_only_arena(toy_layout(), {at::kCPU, type});
        Arena on_gpu = weights_only_arena(toy_layout(), {gpu, type});
        initialise(on_cpu, 7);
        initialise(on_gpu, 7);
        BOOST_TEST(on_gpu.flat_weights().is_cuda());
        BOOST_TEST(on_gpu.flat_weights().cpu().equal(on_cpu.flat_weights()));
    }
}

BOOST_AUTO_TEST_CASE(updates_equal_those_of_the_cpu) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        Training on_cpu({at::kCPU, type}), on_gpu({gpu, type});
        for (int step = 1; step <= 25; ++step) {
            const at::Tensor gradients = on_cpu.toy_gradients(step);
            const auto expected = on_cpu.update(gradients, on_cpu.loss(1));
            const auto result = on_gpu.update(gradients, on_gpu.loss(1));
            const double squares = expected.gradient_square_sum.item<double>();
            BOOST_TEST(std::abs(result.gradient_square_sum.item<double>() - squares) <=
                       tolerance::double_sums * squares);
            BOOST_TEST(result.non_finite.item<double>() == 0);
        }
        BOOST_TEST(on_gpu.optimizer.update_count() == 25);
        BOOST_TEST(worst_difference(on_gpu.masters(), on_cpu.masters()) <= tolerance::gpu_fp32);
        for (std::size_t b = 0; b < on_gpu.arena.buckets().size(); ++b) {
            const Range range = on_gpu.arena.buckets()[b].range;
            BOOST_TEST(on_gpu.arena.flat_weights()
                           .narrow(0, range.begin, range.length())
                           .equal(on_gpu.optimizer.masters()[b].to(type)));
        }
    }
}

BOOST_AUTO_TEST_CASE(faults_are_seen_and_not_applied) {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        Training on_gpu({gpu, type});
        const std::vector<at::Tensor> before = on_gpu.masters();
        for (const float bad : {nan, -inf}) {
            const auto result = on_gpu.update(on_gpu.toy_gradients(1), on_gpu.loss(bad));
            BOOST_TEST(result.non_finite.item<double>() == 1);
            BOOST_TEST(on_gpu.optimizer.update_count() == 0);
            BOOST_TEST(worst_difference(on_gpu.masters(), before) == 0);
        }
        for (const float bad : {nan, inf}) {
            const at::Tensor gradients = on_gpu.toy_gradients(2);
            const Range first = on_gpu.arena.buckets()[0].range;
            gradients.narrow(0, first.begin + 5, 1).fill_(bad);
            BOOST_TEST(on_gpu.update(gradients, on_gpu.loss(1)).non_finite.item<double>() == 1);
            BOOST_TEST(worst_difference(on_gpu.masters(), before) == 0);
        }
        BOOST_TEST(on_gpu.optimizer.update_count() == 2);
    }
}

// Autograd's own thread accumulates into the arena and starts the buckets.
BOOST_AUTO_TEST_CASE(backward_fills_fp32_gradients_and_starts_buckets) {
    Training on_gpu({gpu, at::kBFloat16});
    const at::Tensor& weight = on_gpu.arena.weights()[0];    // [30, 50]
    const at::Tensor leaf = weight.detach().clone().set_requires_grad(true);
    at::Tensor expected = at::zeros({30, 50}, at::TensorOptions().dtype(at::kFloat).device(gpu));
    on_gpu.reducer.begin_step();
    for (int pass = 0; pass < 16; ++pass) {
        const at::Tensor x = at::linspace(0.1 * pass, 1, 50, at::kFloat).to(gpu, at::kBFloat16);
        if (pass == 15) on_gpu.reducer.arm();
        at::Tensor loss = at::matmul(weight, x).sum();
        for (std::size_t id = 1; id < on_gpu.arena.weights().size(); ++id)
            loss = loss + on_gpu.arena.weights()[id].sum();
        loss.backward();
        at::matmul(leaf, x).sum().backward();
        expected += leaf.grad().to(at::kFloat);
        leaf.mutable_grad() = at::Tensor();
    }
    BOOST_TEST(on_gpu.reducer.started_by_hooks() == static_cast<int>(on_gpu.arena.buckets().size()));
    on_gpu.reducer.finish();
    BOOST_TEST(weight.grad().equal(expected));
}

BOOST_AUTO_TEST_CASE(checkpoints_serve_any_device_and_precision) {
    const TempDir dir;
    Training saved({gpu, at::kBFloat16});
    for (int step = 1; step <= 4; ++step) saved.update(saved.toy_gradients(step), {});
    {
        CheckpointWriter writer(dir / "run", 2, saved.communicator);
        Manifest manifest;
        manifest.state.global_step = 4;
        writer.start_save(manifest, saved.arena, saved.optimizer.state());
        writer.wait_for_snapshot();
        for (int step = 5; step <= 8; ++step) saved.update(saved.toy_gradients(step), {});    // while it is written
        BOOST_TEST(writer.finish_save());
    }
    save_model(dir / "best", saved.arena, saved.optimizer.state(), saved.communicator, {}, "");
    const auto found = find_newest_checkpoint(dir / "run", saved.communicator);
    BOOST_REQUIRE(found.has_value());
    Training resumed({gpu, at::kBFloat16}), on_cpu({at::kCPU, at::kBFloat16}), in_fp32({gpu, at::kFloat});
    for (Training* training : {&resumed, &on_cpu, &in_fp32}) {
        load_checkpoint(*found, training->arena, training->optimizer.state(), training->optimizer.weight_sink());
        BOOST_TEST(training->optimizer.update_count() == 4);
        for (int step = 5; step <= 8; ++step) training->update(training->toy_gradients(step), {});
    }
    BOOST_TEST(worst_difference(resumed.masters(), saved.masters()) == 0);
    BOOST_TEST(resumed.arena.flat_weights().equal(saved.arena.flat_weights()));
    BOOST_TEST(worst_difference(in_fp32.masters(), saved.masters()) == 0);
    BOOST_TEST(worst_difference(on_cpu.masters(), saved.masters()) <= tolerance::gpu_fp32);
    Training from_model({gpu, at::kBFloat16});
    load_model(dir / "best", from_model.arena, from_model.optimizer.weight_sink());
    BOOST_TEST(worst_difference(from_model.masters(), saved.masters()) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

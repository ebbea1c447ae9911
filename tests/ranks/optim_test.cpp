// Gradient buckets and sharded AdamW over real ranks: hooks, uneven micro-batches, and the same weights at any rank
// count.
#include <ATen/core/Tensor.h>

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "blip/optim/adamw.h"
#include "tests/support/ranks.h"
#include "tests/support/self_communicator.h"
#include "tests/unit/optim/toy_arena.h"

namespace blip::test {
namespace {

// loss = factor * sum of all weights: the gradient is factor everywhere. skip leaves one parameter out of the graph.
void backward(Arena& arena, double factor, ParamId skip = -1) {
    at::Tensor loss;
    for (ParamId id = 0; id < arena.layout().count(); ++id) {
        if (id == skip) continue;
        const at::Tensor term = arena.weights()[static_cast<std::size_t>(id)].sum().mul(factor);
        loss = loss.defined() ? loss.add(term) : term;
    }
    loss.backward();
}

BOOST_AUTO_TEST_SUITE(optim_ranks)

// Micro-batches with gradients 1, 2, 3... dealt to the ranks in contiguous runs, as training does; all sums are exact
// in fp32.
BOOST_AUTO_TEST_CASE(reduced_shards_hold_the_sum_over_all_micro_batches) {
    Communicator& comm = world();
    Arena arena(toy_layout(), comm.size(), 512, [&](std::size_t bytes) { return comm.allocate(bytes); });
    GradReducer reducer(arena, comm);
    const int micro_batches = comm.size() + 3;
    const bool idle = comm.size() > 1 && comm.rank() == comm.size() - 1;    // a rank without micro-batches
    const int workers = std::max(1, comm.size() - 1);
    const int first = micro_batches * comm.rank() / workers, last = micro_batches * (comm.rank() + 1) / workers;
    const ParamId unused_here = comm.rank() == 0 ? 3 : -1;
    for (int step = 0; step < 3; ++step) {
        reducer.begin_step();
        for (int m = first; !idle && m < last; ++m) {
            if (m == last - 1) reducer.arm();
            backward(arena, m + 1, unused_here);
        }
        reducer.finish();
        std::vector<int> in_order(arena.buckets().size());
        std::iota(in_order.begin(), in_order.end(), 0);
        BOOST_TEST(reducer.start_order() == in_order);
        if (idle)
            BOOST_TEST(reducer.started_by_hooks() == 0);
        else if (unused_here < 0)
            BOOST_TEST(reducer.started_by_hooks() == static_cast<int>(in_order.size()));
        const double all = micro_batches * (micro_batches + 1) / 2.0;
        const double of_rank_0 = [&] {
            const int end = micro_batches / workers;
            return end * (end + 1) / 2.0;
        }();
        int wrong = 0;
        for (int b = 0; b < static_cast<int>(in_order.size()); ++b) {
            const at::Tensor shard = reducer.reduced_shard(b);
            const Range range = arena.shard(b, comm.rank());
            for (const ParamPiece& piece : arena.pieces(range)) {
                const double expected = piece.param == 3 ? all - of_rank_0 : all;
                const auto* data = static_cast<const float*>(shard.const_data_ptr()) + piece.arena_offset - range.begin;
                for (std::int64_t i = 0; i < piece.elements.length(); ++i) wrong += data[i] != expected;
            }
        }
        BOOST_TEST(wrong == 0);
    }
}

// One rank computes as if alone; all of them together must arrive at the same bits, since each gradient is summed
// exactly.
void check_weights_equal_those_of_one_rank(double clip_norm) {
    Communicator& comm = world();
    constexpr int kSteps = 5;
    OptimOptions options;
    options.init_lr = 1e-2;
    options.clip_norm = clip_norm;
    options.eps = 1e-3;
    const auto gradient = [](int step, ParamId param,
                             std::int64_t i) {    // multiples of 2^-6: sums of halves are exact
        return std::round(toy_value(100 + step, param, i) * 64) / 64;
    };
    const auto fill = [&](Arena& arena, int step, float share) {
        for (const ParamPiece& piece : arena.pieces({0, arena.length()}))
            for (std::int64_t i = 0; i < piece.elements.length(); ++i)
                arena.gradient_data()[piece.arena_offset + i] = share * gradient(step, piece.param, i);
    };
    Arena arena(toy_layout(), comm.size(), 2048, host_allocator());
    GradReducer reducer(arena, comm);
    ShardedAdamW optimizer(arena, comm, options);
    fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);

    SelfCommunicator alone;
    Arena own(toy_layout(), 1, 1 << 20, host_allocator());
    GradReducer own_reducer(own, alone);
    ShardedAdamW own_optimizer(own, alone, options);
    fill_toy(own, {0, own.length()}, own.weight_data(), 1);

    for (int step = 0; step < kSteps; ++step) {
        reducer.begin_step();
        fill(arena, step, comm.size() == 1 ? 1.0F : comm.rank() < 2 ? 0.5F : 0.0F);
        reducer.finish();
        optimizer.step(reducer, options.init_lr);
        own_reducer.begin_step();
        fill(own, step, 1.0F);
        own_reducer.finish();
        own_optimizer.step(own_reducer, options.init_lr);
    }
    for (ParamId id = 0; id < own.layout().count(); ++id) {
        const auto at = static_cast<std::size_t>(id);
        BOOST_TEST(arena.weights()[at].equal(own.weights()[at]), own.layout().spec(id).name);
    }
}
BOOST_AUTO_TEST_CASE(weights_equal_those_of_one_rank) { check_weights_equal_those_of_one_rank(0); }
// Squares of such gradients add up exactly, too: the scale is the same to the bit.
BOOST_AUTO_TEST_CASE(clipped_weights_equal_those_of_one_rank) { check_weights_equal_those_of_one_rank(1.5); }

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

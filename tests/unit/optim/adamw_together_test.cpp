// Steps of ShardedAdamW for all buckets together, as GPUs take them, on the CPU.
#include <ATen/ops/scalar_tensor.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <limits>

#include "blip/optim/adamw.h"
#include "tests/tolerances.h"
#include "tests/unit/comm/thread_world.h"
#include "tests/unit/optim/toy_arena.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(adamw_together)

// The learning rate is an fp32 tensor, so one is taken that fp32 holds.
BOOST_AUTO_TEST_CASE(all_buckets_together_give_the_bits_of_one_after_the_other) {
    constexpr double lr = 1.0 / 512;
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        std::atomic<int> same = 0, counted = 0;
        std::atomic<double> worst = 0;
        run_ranks(3, [&](Communicator& comm) {
            std::vector<at::Tensor> weights;
            double squares[2] = {};
            for (const bool together : {false, true}) {
                Arena arena(toy_layout(), 3, 700, host_allocator(), true, {at::kCPU, type});
                GradReducer reducer(arena, comm);
                ShardedAdamW optimizer(arena, comm, {}, together);
                write_toy(arena, optimizer.weight_sink(), 1);
                for (int step = 1; step <= 5; ++step) {
                    reducer.begin_step();
                    fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 100 + step);
                    reducer.finish();
                    const auto result = optimizer.step(reducer, lr, at::scalar_tensor(0.5));
                    squares[together] = result.gradient_square_sum.item<double>();
                }
                counted += static_cast<int>(optimizer.update_count());
                weights.push_back(arena.flat_weights().clone());
            }
            same += weights[0].equal(weights[1]);
            worst = std::max(worst.load(), std::abs(squares[1] / squares[0] - 1));
        });
        BOOST_TEST(same == 3);
        BOOST_TEST(counted == 2 * 3 * 5);
        BOOST_TEST(worst < tolerance::double_sums);
    }
}

// Together, one bad value keeps all shards of its rank as they are, and the other ranks' are updated and gathered.
BOOST_AUTO_TEST_CASE(together_a_bad_gradient_stops_the_update_of_its_rank) {
    for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        std::atomic<int> saw = 0, of_rank_1 = 0, of_others = 0, kept = 0, updated = 0;
        run_ranks(3, [&](Communicator& comm) {
            Arena arena(toy_layout(), 3, 700, host_allocator());
            GradReducer reducer(arena, comm);
            ShardedAdamW optimizer(arena, comm, {}, true);
            fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);
            const at::Tensor before = arena.flat_weights().clone();
            reducer.begin_step();
            fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 2);
            if (comm.rank() == 2) arena.gradient_data()[arena.shard(1, 1).begin] = bad;
            reducer.finish();
            saw += static_cast<int>(optimizer.step(reducer, 1e-3).non_finite.item<double>());
            if (comm.rank() != 0) return;    // all ranks have the same weights
            for (int b = 0; b < static_cast<int>(arena.buckets().size()); ++b) {
                for (const int rank : {0, 1, 2}) {
                    const Range own = arena.shard(b, rank);
                    if (arena.pieces(own).empty()) continue;    // padding alone
                    ++(rank == 1 ? of_rank_1 : of_others);
                    const bool same = before.narrow(0, own.begin, own.length())
                                          .equal(arena.flat_weights().narrow(0, own.begin, own.length()));
                    if (rank == 1 && same) ++kept;
                    if (rank != 1 && !same) ++updated;
                }
            }
        });
        BOOST_TEST(saw == 1);
        BOOST_TEST(of_rank_1 > 2);
        BOOST_TEST(kept == of_rank_1.load());
        BOOST_TEST(updated == of_others.load());
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// GradReducer on a toy graph in one process: which buckets the hooks start, and when.
#include <boost/test/unit_test.hpp>
#include <numeric>

#include "blip/base/error.h"
#include "blip/optim/grad_reducer.h"
#include "tests/unit/comm/thread_world.h"
#include "tests/unit/optim/toy_arena.h"

namespace blip::test {
namespace {

struct ToyWorld {
    ThreadBoard board{1};
    ThreadCommunicator comm{board, 0, 1};
    Arena arena{toy_layout(), 1, 256, host_allocator()};
    GradReducer reducer{arena, comm};

    // loss = sum over the named parameters of factor * sum(w^2) / 2: gradient factor * w
    void backward(const std::vector<ParamId>& used, double factor) {
        at::Tensor loss;
        for (const ParamId id : used) {
            const at::Tensor& weight = arena.weights()[static_cast<std::size_t>(id)];
            const at::Tensor term = weight.mul(weight).sum().mul(factor / 2);
            loss = loss.defined() ? loss.add(term) : term;
        }
        loss.backward();
    }
    int buckets() const { return static_cast<int>(arena.buckets().size()); }
    std::vector<int> in_order() const {
        std::vector<int> order(static_cast<std::size_t>(buckets()));
        std::iota(order.begin(), order.end(), 0);
        return order;
    }
};

const std::vector<ParamId> kAll = {0, 1, 2, 3, 4};

BOOST_AUTO_TEST_SUITE(grad_reducer)

BOOST_AUTO_TEST_CASE(hooks_start_each_bucket_once_in_order) {
    ToyWorld toy;
    BOOST_REQUIRE(toy.buckets() >= 3);
    fill_toy(toy.arena, {0, toy.arena.length()}, toy.arena.weight_data(), 1);
    for (int step = 0; step < 2; ++step) {
        toy.reducer.begin_step();
        toy.backward(kAll, 1);
        BOOST_TEST(toy.reducer.start_order().empty());    // not armed: a micro-batch that is not the last
        toy.reducer.arm();
        toy.backward(kAll, 2);
        BOOST_TEST(toy.reducer.started_by_hooks() == toy.buckets());
        toy.reducer.finish();
        BOOST_TEST(toy.reducer.start_order() == toy.in_order());
        // both micro-batches, accumulated in place: 3 * w
        double worst = 0;
        for (std::int64_t i = 0; i < toy.arena.length(); ++i) {
            worst = std::max(
                worst, std::abs(static_cast<double>(toy.arena.gradient_data()[i]) - 3.0 * toy.arena.weight_data()[i]));
        }
        BOOST_TEST(worst < 1e-6);
        for (int b = 0; b < toy.buckets(); ++b) {
            BOOST_TEST(toy.reducer.reduced_shard(b).const_data_ptr() ==
                       toy.arena.gradient_data() + toy.arena.buckets()[static_cast<std::size_t>(b)].range.begin);
        }
    }
}

BOOST_AUTO_TEST_CASE(unused_parameters_wait_for_finish) {
    ToyWorld toy;
    const auto bucket_of = [&](ParamId id) {
        for (int b = 0; b < toy.buckets(); ++b)
            for (const ParamId inside : toy.arena.buckets()[static_cast<std::size_t>(b)].params)
                if (inside == id) return b;
        return -1;
    };
    toy.reducer.begin_step();
    toy.reducer.arm();
    toy.backward({0, 1, 2, 4}, 1);                                 // 3 is unused
    BOOST_TEST(toy.reducer.started_by_hooks() == bucket_of(3));    // those before it have started, those behind it wait
    toy.reducer.finish();
    BOOST_TEST(toy.reducer.start_order() == toy.in_order());
    BOOST_TEST(toy.reducer.started_by_hooks() == bucket_of(3));
}

BOOST_AUTO_TEST_CASE(a_rank_without_micro_batches_takes_part) {
    ToyWorld toy;
    toy.reducer.begin_step();
    toy.reducer.finish();
    BOOST_TEST(toy.reducer.start_order() == toy.in_order());
    BOOST_TEST(toy.reducer.started_by_hooks() == 0);
    BOOST_TEST(toy.reducer.reduced_shard(0).count_nonzero().item<std::int64_t>() == 0);
}

BOOST_AUTO_TEST_CASE(misuse_is_refused) {
    ToyWorld toy;
    toy.reducer.begin_step();
    BOOST_CHECK_THROW(toy.reducer.reduced_shard(0), Error);
    toy.reducer.arm();
    toy.backward(kAll, 1);
    BOOST_CHECK_EXCEPTION(toy.backward(kAll, 1), Error, [](const Error& error) {
        return std::string(error.what()).find("second backward pass after arm()") != std::string::npos;
    });
    toy.reducer.finish();
}

// A bucket that holds a join waits for its one gradient, and for no member's.
BOOST_AUTO_TEST_CASE(joined_parameters_count_as_one) {
    ThreadBoard board(1);
    ThreadCommunicator comm(board, 0, 1);
    Arena arena(joined_toy_layout(), 1, 256, host_allocator());
    GradReducer reducer(arena, comm);
    fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);
    const auto backward = [&](const std::vector<ParamId>& leaves) {
        for (const ParamId id : leaves) {
            const at::Tensor& weight = arena.weights()[static_cast<std::size_t>(id)];
            weight.mul(weight).sum().mul(0.5).backward();
        }
    };
    const ParamId join = 5;
    BOOST_REQUIRE(arena.buckets().size() == 3U);
    for (int step = 0; step < 2; ++step) {
        reducer.begin_step();
        reducer.arm();
        backward({3});    // second.weight
        BOOST_TEST(reducer.started_by_hooks() == 1);
        backward({0});    // first.weight, behind the join
        BOOST_TEST(reducer.started_by_hooks() == 1);
        backward({join});
        BOOST_TEST(reducer.started_by_hooks() == 3);
        BOOST_CHECK_THROW(backward({join}), Error);
        reducer.finish();
        for (const ParamId id : {1, 2, 3})
            BOOST_TEST(arena.weights()[static_cast<std::size_t>(id)].grad().abs().max().item<float>() > 0);
    }
}

BOOST_AUTO_TEST_CASE(hooks_go_with_the_reducer) {
    ThreadBoard board(1);
    ThreadCommunicator comm(board, 0, 1);
    Arena arena(toy_layout(), 1, 256, host_allocator());
    {
        GradReducer reducer(arena, comm);
        reducer.begin_step();
        reducer.arm();
    }
    arena.weights()[0].mul(arena.weights()[0]).sum().backward();    // would call into freed memory
    GradReducer another(arena, comm);
    another.begin_step();
    another.arm();
    arena.weights()[4].mul(arena.weights()[4]).sum().backward();
    BOOST_TEST(another.started_by_hooks() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

// ShardedAdamW against AdamW written out in double, sliced over 1..4 ranks; the learning-rate schedule.
#include <ATen/ops/count_nonzero.h>
#include <ATen/ops/scalar_tensor.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <tuple>

#include "blip/base/error.h"
#include "blip/optim/adamw.h"
#include "blip/optim/lr_schedule.h"
#include "tests/tolerances.h"
#include "tests/unit/comm/thread_world.h"
#include "tests/unit/optim/toy_arena.h"

namespace blip::test {
namespace {

constexpr int kSteps = 25;
constexpr double kLr = 3e-3;

// The L2 norm of a step's gradient over all parameters.
double norm_in_double(int step) {
    const Layout layout = toy_layout();
    double squares = 0;
    for (ParamId id = 0; id < layout.count(); ++id)
        for (std::int64_t i = 0; i < layout.spec(id).element_count(); ++i)
            squares += std::pow(static_cast<double>(toy_value(100 + step, id, i)), 2);
    return std::sqrt(squares);
}

// What torch.nn.utils.clip_grad_norm_(..., clip_norm) multiplies each step's gradient by; 1 without clipping.
std::vector<double> clip_factors(double clip_norm) {
    std::vector<double> factors(kSteps + 1, 1);
    for (int step = 1; clip_norm > 0 && step <= kSteps; ++step)
        factors[static_cast<std::size_t>(step)] = std::min(1.0, clip_norm / (norm_in_double(step) + 1e-6));
    return factors;
}

// Loshchilov & Hutter 2019, algorithm 2: gradient of step s is toy_value(100 + s, ...), summed over ranks.
double adamw_in_double(const OptimOptions& options, ParamId param, std::int64_t element,
                       const std::vector<double>& factors = clip_factors(0)) {
    double weight = toy_value(1, param, element), average = 0, square = 0;
    for (int step = 1; step <= kSteps; ++step) {
        const double gradient = factors[static_cast<std::size_t>(step)] * toy_value(100 + step, param, element);
        average = options.beta1 * average + (1 - options.beta1) * gradient;
        square = options.beta2 * square + (1 - options.beta2) * gradient * gradient;
        weight -= kLr * options.weight_decay * weight;
        weight -= kLr * (average / (1 - std::pow(options.beta1, step))) /
                  (std::sqrt(square / (1 - std::pow(options.beta2, step))) + options.eps);
    }
    return weight;
}

// Weights after kSteps on `size` ranks, in the order of the parameters, and the sum of squares of the last step.
struct Outcome {
    std::vector<float> weights;
    double squares = 0;
    bool ranks_agree = true;
    std::int64_t updates = 0;
};

Outcome run_steps(int size, std::int64_t bucket_bytes, const OptimOptions& options, bool together = false) {
    Outcome outcome;
    std::vector<std::vector<float>> of_rank(static_cast<std::size_t>(size));
    run_ranks(size, [&](Communicator& comm) {
        Arena arena(toy_layout(), size, bucket_bytes, host_allocator());
        GradReducer reducer(arena, comm);
        ShardedAdamW optimizer(arena, comm, options, together);
        fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);
        ShardedAdamW::StepResult result;
        for (int step = 1; step <= kSteps; ++step) {
            reducer.begin_step();
            // one rank holds the gradient, the others contribute exact zeros: the sum is the same for any number of
            // ranks
            if (comm.rank() == step % size) fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 100 + step);
            reducer.finish();
            result = optimizer.step(reducer, kLr);
        }
        double squares = result.gradient_square_sum.item<double>();
        comm.host_sum({&squares, 1}, "squares");
        auto& weights = of_rank[static_cast<std::size_t>(comm.rank())];
        for (const at::Tensor& weight : arena.weights()) {
            const auto* data = static_cast<const float*>(weight.const_data_ptr());
            weights.insert(weights.end(), data, data + weight.numel());
        }
        if (comm.rank() == 0) {
            outcome.squares = squares;
            outcome.updates = optimizer.update_count();
        }
    });
    for (const auto& weights : of_rank) outcome.ranks_agree = outcome.ranks_agree && weights == of_rank[0];
    outcome.weights = of_rank[0];
    return outcome;
}

BOOST_AUTO_TEST_SUITE(adamw)

BOOST_AUTO_TEST_CASE(equals_double_arithmetic_at_any_slicing) {
    const OptimOptions options;
    const Outcome whole = run_steps(1, 1 << 20, options);
    const Layout layout = toy_layout();
    double worst = 0, squares = 0;
    std::size_t at = 0;
    for (ParamId id = 0; id < layout.count(); ++id) {
        for (std::int64_t i = 0; i < layout.spec(id).element_count(); ++i, ++at) {
            worst = std::max(worst, std::abs(whole.weights.at(at) - adamw_in_double(options, id, i)));
            squares += std::pow(static_cast<double>(toy_value(100 + kSteps, id, i)), 2);
        }
    }
    BOOST_TEST(at == whole.weights.size());
    BOOST_TEST(worst < tolerance::adamw_against_double);
    BOOST_TEST(std::abs(whole.squares - squares) < 1e-12 * squares);
    BOOST_TEST(whole.updates == kSteps);
    for (const int size : {1, 2, 3, 4}) {
        for (const std::int64_t bucket_bytes : {512, 4096, 1 << 20}) {
            const Outcome sliced = run_steps(size, bucket_bytes, options);
            BOOST_TEST(sliced.ranks_agree);
            BOOST_TEST((sliced.weights == whole.weights), "ranks " << size << " bucket bytes " << bucket_bytes);
            BOOST_TEST(std::abs(sliced.squares - squares) < 1e-12 * squares);
        }
    }
}

// The same gradients to bf16 weights: the masters are the fp32 run's weights bit for bit, the weights their rounding on
// every rank.
BOOST_AUTO_TEST_CASE(masters_of_bf16_weights_are_the_weights_of_an_fp32_run) {
    const Layout layout = toy_layout();
    const Outcome in_fp32 = run_steps(1, 1 << 20, {});
    std::vector<std::int64_t> start_of(1, 0);    // of each parameter in in_fp32.weights
    for (ParamId id = 0; id < layout.count(); ++id)
        start_of.push_back(start_of.back() + layout.spec(id).element_count());
    for (const int size : {1, 2, 3}) {
        std::atomic<std::int64_t> compared = 0, wrong_masters = 0, wrong_weights = 0, updates = 0;
        run_ranks(size, [&](Communicator& comm) {
            Arena arena(layout, size, 2048, host_allocator(), true, {at::kCPU, at::kBFloat16});
            GradReducer reducer(arena, comm);
            ShardedAdamW optimizer(arena, comm, {});
            write_toy(arena, optimizer.weight_sink(), 1);
            for (int step = 1; step <= kSteps; ++step) {
                reducer.begin_step();
                if (comm.rank() == step % size) fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 100 + step);
                reducer.finish();
                optimizer.step(reducer, kLr, at::scalar_tensor(0.5));
            }
            updates += optimizer.update_count();
            for (std::size_t b = 0; b < arena.buckets().size(); ++b) {
                const Range own = arena.shard(static_cast<int>(b), comm.rank());
                const auto* master = static_cast<const float*>(optimizer.masters()[b].const_data_ptr());
                for (const ParamPiece& piece : arena.pieces(own))
                    for (std::int64_t i = 0; i < piece.elements.length(); ++i, ++compared)
                        wrong_masters +=
                            master[piece.arena_offset - own.begin + i] !=
                            in_fp32.weights.at(static_cast<std::size_t>(
                                start_of[static_cast<std::size_t>(piece.param)] + piece.elements.begin + i));
            }
            const at::Tensor all = arena.flat_weights().to(at::kFloat);
            for (const ParamPiece& piece : arena.pieces({0, arena.length()}))
                for (std::int64_t i = 0; i < piece.elements.length(); ++i) {
                    const c10::BFloat16 rounded(in_fp32.weights.at(
                        static_cast<std::size_t>(start_of[static_cast<std::size_t>(piece.param)] + i)));
                    wrong_weights += static_cast<const float*>(all.const_data_ptr())[piece.arena_offset + i] !=
                                     static_cast<float>(rounded);
                }
        });
        BOOST_TEST(compared == layout.element_count());
        BOOST_TEST(wrong_masters == 0);
        BOOST_TEST(wrong_weights == 0);
        BOOST_TEST(updates == size * kSteps);
    }
}

// What is frozen keeps its bits, without moments and out of the reduction and the norm; the others are updated as if it
// were not there.
BOOST_AUTO_TEST_CASE(frozen_parameters_stay_and_cost_nothing) {
    const Outcome all = run_steps(1, 512, {});
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16})
        for (const bool together : {false, true}) {
            std::atomic<int> moved = 0, wrong = 0, compared = 0;
            run_ranks(2, [&](Communicator& comm) {
                Arena arena(frozen_toy_layout(), 2, 512, host_allocator(), true, {at::kCPU, type});
                GradReducer reducer(arena, comm);
                ShardedAdamW optimizer(arena, comm, {}, together);
                write_toy(arena, optimizer.weight_sink(), 1);
                for (int step = 1; step <= kSteps; ++step) {
                    reducer.begin_step();
                    if (comm.rank() == step % 2)
                        fill_toy(arena, {0, arena.trained_length()}, arena.gradient_data(), 100 + step);
                    reducer.finish();
                    optimizer.step(reducer, kLr);
                }
                if (optimizer.exp_avg().size() != arena.trained_buckets() ||
                    reducer.start_order().size() != arena.trained_buckets() ||
                    arena.trained_buckets() >= arena.buckets().size())
                    throw std::runtime_error("frozen buckets cost something");
                std::size_t start = 0;    // of the parameter in `all`
                for (ParamId id = 0; id < arena.layout().count(); ++id) {
                    const at::Tensor weight = arena.weights()[static_cast<std::size_t>(id)].detach().to(at::kFloat);
                    const auto* values = static_cast<const float*>(weight.const_data_ptr());
                    for (std::int64_t i = 0; i < weight.numel(); ++i, ++compared) {
                        const float started = toy_value(1, id, i), trained = all.weights.at(start++);
                        const float expected = arena.layout().is_frozen(id) ? started : trained;
                        const float rounded =
                            type == at::kFloat ? expected : static_cast<float>(c10::BFloat16(expected));
                        (arena.layout().is_frozen(id) ? moved : wrong) += values[i] != rounded;
                    }
                }
            });
            BOOST_TEST(compared == 2 * toy_layout().element_count());
            BOOST_TEST(moved == 0);
            // another slicing and the kernel's fp32 rate, when together, change roundings
            if (!together) BOOST_TEST(wrong == 0);
        }
}

BOOST_AUTO_TEST_CASE(bf16_weights_without_masters_are_refused) {
    run_ranks(1, [&](Communicator& comm) {
        Arena arena(toy_layout(), 1, 2048, host_allocator(), true, {at::kCPU, at::kBFloat16});
        GradReducer reducer(arena, comm);
        ShardedAdamW optimizer(arena, comm, {});
        initialise(arena, 1);    // not through the optimizer
        reducer.begin_step();
        reducer.finish();
        try {
            optimizer.step(reducer, kLr);
        } catch (const Error& error) {
            if (std::string(error.what()).find("masters") != std::string::npos) return;
        }
        throw std::runtime_error("weights without masters were updated");
    });
}

BOOST_AUTO_TEST_CASE(options_reach_the_update) {
    OptimOptions other;
    other.weight_decay = 0.3;
    other.beta1 = 0.7;
    other.beta2 = 0.95;
    other.eps = 1e-2;
    const Outcome outcome = run_steps(2, 4096, other);
    double worst = 0;
    std::size_t at = 0;
    const Layout layout = toy_layout();
    for (ParamId id = 0; id < layout.count(); ++id) {
        for (std::int64_t i = 0; i < layout.spec(id).element_count(); ++i, ++at) {
            worst = std::max(worst, std::abs(outcome.weights.at(at) - adamw_in_double(other, id, i)));
        }
    }
    BOOST_TEST(worst < tolerance::adamw_against_double);
}

// Against clip_grad_norm_ and AdamW written out in double: every step clipped, and about half of them.
BOOST_AUTO_TEST_CASE(gradients_are_clipped_to_a_norm_over_all_ranks_and_buckets) {
    const Layout layout = toy_layout();
    std::vector<double> norms;
    for (int step = 1; step <= kSteps; ++step) norms.push_back(norm_in_double(step));
    std::sort(norms.begin(), norms.end());
    for (const double clip_norm : {0.5, norms[kSteps / 2] + 1e-3}) {
        OptimOptions options;
        options.clip_norm = clip_norm;
        options.eps = 1e-2;    // AdamW forgets the gradient's scale otherwise
        const std::vector<double> factors = clip_factors(clip_norm);
        const auto whole = std::count(factors.begin() + 1, factors.end(), 1.0);
        BOOST_TEST((clip_norm < 1 ? whole == 0 : whole > 2 && whole < kSteps - 2), whole << " steps are not clipped");
        const double squares = std::pow(norm_in_double(kSteps), 2);
        std::vector<float> of_one_rank;
        for (const auto& [size, bucket_bytes, together] :
             {std::tuple{1, 1 << 20, false}, {1, 512, true}, {2, 512, false}, {2, 4096, true}, {3, 512, false}}) {
            const Outcome clipped = run_steps(size, bucket_bytes, options, together);
            double worst = 0, apart = 0;
            std::size_t at = 0;
            if (of_one_rank.empty()) of_one_rank = clipped.weights;
            for (ParamId id = 0; id < layout.count(); ++id)
                for (std::int64_t i = 0; i < layout.spec(id).element_count(); ++i, ++at) {
                    worst =
                        std::max(worst, std::abs(clipped.weights.at(at) - adamw_in_double(options, id, i, factors)));
                    apart = std::max<double>(apart, std::abs(clipped.weights[at] - of_one_rank[at]));
                }
            BOOST_TEST(worst < tolerance::adamw_against_double);
            BOOST_TEST(apart <= tolerance::adamw_against_double);
            BOOST_TEST(clipped.ranks_agree);
            BOOST_TEST(std::abs(clipped.squares - squares) < 1e-12 * squares);    // told before clipping
        }
    }
}

BOOST_AUTO_TEST_CASE(a_norm_that_is_never_reached_changes_no_bit) {
    OptimOptions far;
    far.clip_norm = 1000;
    for (const bool together : {false, true})
        BOOST_TEST((run_steps(2, 512, far, together).weights == run_steps(2, 512, {}, together).weights));
}

// With clipping no rank updates anything: the scale would be NaN everywhere.
BOOST_AUTO_TEST_CASE(clipping_applies_no_part_of_a_gradient_that_is_not_finite) {
    for (const bool together : {false, true}) {
        std::atomic<int> saw = 0, kept = 0;
        run_ranks(3, [&](Communicator& comm) {
            Arena arena(toy_layout(), 3, 512, host_allocator());
            GradReducer reducer(arena, comm);
            OptimOptions options;
            options.clip_norm = 1;
            ShardedAdamW optimizer(arena, comm, options, together);
            fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);
            const at::Tensor before = arena.flat_weights().clone();
            reducer.begin_step();
            fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 2);
            if (comm.rank() == 2)
                arena.gradient_data()[arena.shard(1, 1).begin] = std::numeric_limits<float>::quiet_NaN();
            reducer.finish();
            saw += static_cast<int>(optimizer.step(reducer, 1e-3).non_finite.item<double>());
            kept += before.equal(arena.flat_weights());
        });
        BOOST_TEST(saw == 1);    // told by the owner of the shard
        BOOST_TEST(kept == 3);
    }
}

BOOST_AUTO_TEST_CASE(non_finite_gradients_are_seen_and_not_applied) {
    for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        int ranks_that_saw = 0;
        bool owner_changed = false;
        std::mutex mutex;
        run_ranks(3, [&](Communicator& comm) {
            Arena arena(toy_layout(), 3, 1 << 20, host_allocator());
            GradReducer reducer(arena, comm);
            ShardedAdamW optimizer(arena, comm, {});
            fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);
            const at::Tensor before = arena.flat_weights().clone();
            reducer.begin_step();
            fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 2);
            const Range shard_1 = arena.shard(0, 1);
            if (comm.rank() == 2) arena.gradient_data()[shard_1.begin + 5] = bad;
            reducer.finish();
            const auto result = optimizer.step(reducer, 1e-3);
            const std::lock_guard lock(mutex);
            ranks_that_saw += static_cast<int>(result.non_finite.item<double>());
            for (std::int64_t i = shard_1.begin; i < shard_1.end; ++i) {
                owner_changed |= arena.weight_data()[i] != static_cast<const float*>(before.const_data_ptr())[i];
            }
        });
        BOOST_TEST(ranks_that_saw == 1);    // the owner of the shard
        BOOST_TEST(!owner_changed);
    }
}

BOOST_AUTO_TEST_CASE(a_loss_that_is_not_finite_changes_and_counts_nothing) {
    bool same = true;
    double seen = -1;
    std::int64_t updates = -1;
    run_ranks(2, [&](Communicator& comm) {
        Arena arena(toy_layout(), 2, 512, host_allocator());
        GradReducer reducer(arena, comm);
        ShardedAdamW optimizer(arena, comm, {});
        fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);
        const at::Tensor before = arena.flat_weights().clone();
        reducer.begin_step();
        fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 2);
        reducer.finish();
        const float infinity = std::numeric_limits<float>::infinity();
        const auto result = optimizer.step(reducer, 1e-3, at::scalar_tensor(-infinity));
        if (comm.rank() == 0) {
            seen = result.non_finite.item<double>();
            same =
                before.equal(arena.flat_weights()) && optimizer.exp_avg()[0].count_nonzero().item<std::int64_t>() == 0;
            updates = optimizer.update_count();
        }
    });
    BOOST_TEST(same);
    BOOST_TEST(updates == 0);
    BOOST_TEST(seen == 1);
}

BOOST_AUTO_TEST_CASE(cosine_schedule_of_the_reference) {
    const OptimOptions options;
    const double expected[] = {1e-5, 9.045084971874737e-6, 6.545084971874737e-6, 3.4549150281252635e-6,
                               9.549150281252633e-7};
    for (int epoch = 0; epoch < 5; ++epoch)
        BOOST_TEST(std::abs(cosine_lr(options, epoch, 5) - expected[epoch]) < 1e-20);
    OptimOptions floor;
    floor.init_lr = 1;
    floor.min_lr = 0.5;
    BOOST_TEST(std::abs(cosine_lr(floor, 1, 2) - 0.75) < 1e-15);
}

// 200 steps an epoch, the first 300 of them warm up: rates from the formula by hand.
BOOST_AUTO_TEST_CASE(the_rate_rises_linearly_over_the_first_steps) {
    OptimOptions options;
    options.warmup_steps = 300;
    const double first = 1e-5, second = 9.045084971874737e-6;    // of the epochs
    for (const auto& [epoch, step, expected] : {std::tuple{0, 0, first / 300},
                                                {0, 149, first / 2},
                                                {0, 199, first * 2 / 3},
                                                {1, 200, second * 201 / 300},
                                                {1, 299, second},
                                                {1, 300, second},
                                                {1, 399, second}})
        BOOST_TEST(std::abs(step_lr(options, epoch, 5, step) - expected) < 1e-20, "step " << step);
    options.warmup_steps = 0;
    BOOST_TEST(step_lr(options, 0, 5, 0) == first);
    options.warmup_steps = 1;
    BOOST_TEST(step_lr(options, 0, 5, 0) == first);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

// Linear, which adds its gradients into those of its leaves, against autograd's own: alone, joined, computed again. And
// parts_by_head against the plain reshapes.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <boost/test/unit_test.hpp>

#include "blip/kernels/recompute.h"
#include "blip/model/layers.h"
#include "blip/params/arena.h"
#include "src/model/fused.h"
#include "tests/tolerances.h"
#include "tests/unit/model/gradients.h"

namespace blip::test {
namespace {

constexpr std::int64_t in = 24, out = 40;

// One Linear over an arena, and the same weights as leaves of autograd's own.
struct Pair {
    Layout layout;
    Linear linear{layout, "one", in, out, Init::normal(0.3)};
    Arena arena;
    at::Tensor weight, bias;
    int weight_runs = 0, bias_runs = 0;

    explicit Pair(at::ScalarType precision) : arena(layout, 1, 1 << 20, host_allocator(), true, {at::kCPU, precision}) {
        initialise(arena, 4);
        const auto leaf = [&](std::size_t id) {
            const at::Tensor copy = arena.weights()[id].detach().clone().set_requires_grad(true);
            copy.mutable_grad() = at::zeros_like(copy, at::kFloat);
            return copy;
        };
        weight = leaf(0);
        bias = leaf(1);
        torch::autograd::impl::set_post_acc_grad_hooks(arena.weights()[0], std::make_unique<CountRuns>(weight_runs));
        torch::autograd::impl::set_post_acc_grad_hooks(arena.weights()[1], std::make_unique<CountRuns>(bias_runs));
    }
    at::Tensor gradient(std::size_t id) const { return arena.weights()[id].grad(); }
};

at::Tensor input(at::ScalarType precision) { return at::randn({3, 7, in}).to(precision); }

// The difference between sums of 21 products in two orders, in fp32.
void check_product(const at::Tensor& got, const at::Tensor& wanted) {
    BOOST_TEST((got - wanted).abs().max().item<double>() <=
               tolerance::reordered_sums * wanted.abs().max().item<double>());
}

}    // namespace

BOOST_AUTO_TEST_SUITE(linear)

BOOST_AUTO_TEST_CASE(gradients_add_up_in_the_arena_and_hooks_run_once_a_pass) {
    for (const at::ScalarType precision : {at::kFloat, at::kBFloat16}) {
        Pair pair(precision);
        const void* place = pair.gradient(0).data_ptr();
        for (int pass = 1; pass <= 3; ++pass) {
            const at::Tensor x = input(precision).set_requires_grad(true),
                             same = x.detach().clone().set_requires_grad(true);
            const at::Tensor y = pair.linear(pair.arena.weights(), x),
                             wanted = at::linear(same, pair.weight, pair.bias);
            BOOST_TEST(y.equal(wanted));
            const at::Tensor of_y = at::randn({3, 7, out}).to(precision);
            y.backward(of_y);
            wanted.backward(of_y);
            BOOST_TEST(x.grad().equal(same.grad()));
            BOOST_TEST(pair.weight_runs == pass);
            BOOST_TEST(pair.bias_runs == pass);
            // The first adds to zeros; bf16 products are rounded before they are added.
            if (pass == 1 || precision == at::kBFloat16) BOOST_TEST(pair.gradient(0).equal(pair.weight.grad()));
            check_product(pair.gradient(0), pair.weight.grad());
            BOOST_TEST(pair.gradient(1).equal(pair.bias.grad()));
        }
        BOOST_TEST(pair.gradient(0).data_ptr() == place);
        BOOST_TEST((pair.gradient(0).scalar_type() == at::kFloat));
    }
}

BOOST_AUTO_TEST_CASE(an_input_without_gradient_and_a_part_computed_again) {
    Pair pair(at::kFloat), again(at::kFloat);
    const at::Tensor x = input(at::kFloat);
    pair.linear(pair.arena.weights(), x).square().sum().backward();    // x wants none, the weights do
    at::linear(x, pair.weight, pair.bias).square().sum().backward();
    BOOST_TEST(pair.gradient(0).equal(pair.weight.grad()));
    BOOST_TEST(pair.weight_runs == 1);

    const at::Tensor leaf = x.clone().set_requires_grad(true);
    const auto part = [&](const at::Tensor& of) { return again.linear(again.arena.weights(), of).square(); };
    recomputed(part, leaf).sum().backward();
    BOOST_TEST(again.gradient(0).equal(pair.gradient(0)));
    BOOST_TEST(again.gradient(1).equal(pair.gradient(1)));
    BOOST_TEST(again.weight_runs == 1);
    BOOST_TEST(again.bias_runs == 1);
}

BOOST_AUTO_TEST_CASE(weights_without_a_gradient_so_far_or_at_all) {
    Pair pair(at::kFloat);
    const at::Tensor x = input(at::kFloat).set_requires_grad(true);
    Weights fresh = {pair.weight.detach().clone().set_requires_grad(true),
                     pair.bias.detach().clone().set_requires_grad(true)};
    pair.linear(fresh, x).square().sum().backward();
    pair.linear(pair.arena.weights(), x).square().sum().backward();
    BOOST_TEST(fresh[0].grad().equal(pair.gradient(0)));
    BOOST_TEST(fresh[1].grad().equal(pair.gradient(1)));

    x.mutable_grad() = at::Tensor();
    const Weights fixed = {fresh[0].detach(), fresh[1].detach()};
    pair.linear(fixed, x).square().sum().backward();
    BOOST_TEST(x.grad().defined());
    BOOST_TEST(!fixed[0].grad().defined());
}

BOOST_AUTO_TEST_CASE(outputs_in_fp32_have_their_gradient_rounded_once) {
    for (const at::ScalarType precision : {at::kFloat, at::kBFloat16}) {
        Pair pair(precision);
        const at::Tensor x = input(precision).set_requires_grad(true),
                         same = x.detach().clone().set_requires_grad(true);
        const at::Tensor y = pair.linear.in_fp32(pair.arena.weights(), x);
        const at::Tensor wanted = at::linear(same, pair.weight, pair.bias).to(at::kFloat);
        BOOST_TEST(y.equal(wanted));
        const at::Tensor of_y = at::randn({3, 7, out});
        y.backward(of_y);
        wanted.backward(of_y);
        BOOST_TEST(x.grad().equal(same.grad()));
        BOOST_TEST(pair.gradient(0).equal(pair.weight.grad()));
        BOOST_TEST(pair.gradient(1).equal(pair.bias.grad()));
    }
}

// As word embeddings are: one leaf in two places, one of which is autograd's.
BOOST_AUTO_TEST_CASE(a_weight_with_a_second_use_has_both_gradients_and_one_hook) {
    Pair pair(at::kFloat);
    const auto loss = [](const at::Tensor& weight, const at::Tensor& y) {
        return y.square().sum() + weight.exp().sum();
    };
    const at::Tensor x = input(at::kFloat);
    loss(pair.arena.weights()[0], pair.linear(pair.arena.weights(), x)).backward();
    loss(pair.weight, at::linear(x, pair.weight, pair.bias)).backward();
    BOOST_TEST(pair.weight_runs == 1);
    check_product(pair.gradient(0), pair.weight.grad());
}

BOOST_AUTO_TEST_CASE(joined_ones_are_their_parts_side_by_side) {
    Layout layout, apart_layout;
    const auto declare = [](Layout& into) {
        return std::vector<Linear>{Linear(into, "a", in, 5, Init::normal(0.3)),
                                   Linear(into, "b", in, 8, Init::normal(0.3)),
                                   Linear(into, "c", in, 3, Init::normal(0.3))};
    };
    const std::vector<Linear> parts = declare(layout), apart = declare(apart_layout);
    const Linear joined = Linear::join(layout, {parts[0], parts[2]});
    Arena arena(layout, 1, 1 << 20, host_allocator()), arena_apart(apart_layout, 1, 1 << 20, host_allocator());
    initialise(arena, 4);
    initialise(arena_apart, 4);
    const at::Tensor x = input(at::kFloat).set_requires_grad(true), same = x.detach().clone().set_requires_grad(true);
    const at::Tensor y = at::cat({joined(arena.weights(), x), parts[1](arena.weights(), x)}, 2);
    const Weights& weights = arena_apart.weights();
    const at::Tensor wanted = at::cat({apart[0](weights, same), apart[2](weights, same), apart[1](weights, same)}, 2);
    check_product(y.detach(), wanted.detach());
    const at::Tensor of_y = at::randn(y.sizes());
    y.backward(of_y);
    wanted.backward(of_y);
    check_product(x.grad(), same.grad());
    for (std::size_t id = 0; id < weights.size(); ++id) check_product(arena.weights()[id].grad(), weights[id].grad());
}

BOOST_AUTO_TEST_CASE(parts_by_head_are_copied_once_each_way) {
    constexpr std::int64_t batch = 2, tokens = 5, parts = 3, heads = 4, d = 6;
    const at::Tensor x = at::randn({batch, tokens, parts * heads * d}).set_requires_grad(true);
    const std::vector<at::Tensor> got = parts_by_head(x, parts, heads);
    const at::Tensor plain = x.detach().clone().set_requires_grad(true);
    at::Tensor loss, plain_loss;
    for (std::int64_t p = 0; p < parts; ++p) {
        const at::Tensor wanted = split_heads(plain.narrow(2, p * heads * d, heads * d), heads);
        const at::Tensor& part = got[static_cast<std::size_t>(p)];
        BOOST_TEST(part.equal(wanted));
        BOOST_TEST(part.is_contiguous());
        if (p == 1) continue;    // a part that is not used has zeros for its gradient
        const at::Tensor factor = at::randn(part.sizes());
        loss = loss.defined() ? loss + (part * factor).sum() : (part * factor).sum();
        plain_loss = plain_loss.defined() ? plain_loss + (wanted * factor).sum() : (wanted * factor).sum();
    }
    loss.backward();
    plain_loss.backward();
    BOOST_TEST(x.grad().equal(plain.grad()));
    BOOST_TEST(x.grad().narrow(2, heads * d, heads * d).abs().max().item<float>() == 0);
}

// On the CPU by LibTorch's operators; as on a GPU, by the fused kernel's twin. Both ways the same product and
// gradients.
BOOST_AUTO_TEST_CASE(a_product_by_head_has_the_gradients_of_autograd) {
    constexpr std::int64_t parts = 2, heads = 4, d = out / parts / heads;
    for (const at::ScalarType precision : {at::kFloat, at::kBFloat16}) {
        for (const HeadMemory memory : {HeadMemory::of_product, HeadMemory::own}) {
            for (const bool fused : {false, true}) {
                Pair pair(precision);
                const at::Tensor x = input(precision).set_requires_grad(true);
                const at::Tensor same = x.detach().clone().set_requires_grad(true);
                const at::Tensor y = at::linear(same, pair.weight, pair.bias);
                const std::vector<at::Tensor> got =
                    fused ? fused_by_head(x, pair.arena.weights()[0], pair.arena.weights()[1], parts, heads, memory)
                          : pair.linear.by_head(pair.arena.weights(), x, parts, heads, memory);
                const at::Tensor factor = at::randn(y.sizes()).to(precision);
                for (std::int64_t p = 0; p < parts; ++p) {
                    const at::Tensor& part = got[static_cast<std::size_t>(p)];
                    BOOST_TEST(part.equal(split_heads(y.narrow(2, p * heads * d, heads * d), heads)));
                    BOOST_TEST(part.is_contiguous() == (memory == HeadMemory::own));
                }
                torch::autograd::backward(got, {split_heads(factor.narrow(2, 0, heads * d), heads),
                                                split_heads(factor.narrow(2, heads * d, heads * d), heads)});
                y.backward(factor);
                BOOST_TEST(x.grad().equal(same.grad()));
                BOOST_TEST(pair.weight_runs == 1);
                BOOST_TEST(pair.bias_runs == 1);
                check_product(pair.gradient(0), pair.weight.grad());
                const at::Tensor of_bias = factor.to(at::kFloat).flatten(0, 1).sum(0);
                if (fused || precision == at::kFloat) check_product(pair.gradient(1), of_bias);
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

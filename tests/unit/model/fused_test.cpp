// The fused kernels' gradients against autograd's of the same operators, in fp32 on the CPU, where the kernels run as a
// reference. (On GPUs, real and pretended: tests/gpu.)
#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <boost/test/unit_test.hpp>
#include <limits>

#include "blip/kernels/recompute.h"
#include "src/model/fused.h"
#include "tests/tolerances.h"
#include "tests/unit/model/gradients.h"

namespace blip::test {
namespace {

constexpr std::int64_t pictures = 3, tokens = 5, width = 24;
constexpr double epsilon = 1e-6;

at::Tensor leaf(at::IntArrayRef shape) { return at::randn(shape).set_requires_grad(true); }
at::Tensor again(const at::Tensor& of) { return of.detach().clone().set_requires_grad(true); }

// One set of leaves, and the sum and its norm operator by operator.
struct Leaves {
    at::Tensor x = leaf({pictures, tokens, width}), bias = leaf({width}), residual = leaf({pictures, tokens, width}),
               gamma = leaf({width}), beta = leaf({width});

    Leaves copy() const { return {again(x), again(bias), again(residual), again(gamma), again(beta)}; }
    BranchEnd plainly(const BranchScaling& scaling) const {
        at::Tensor branch = x + bias;
        if (scaling.picture_scales_I.defined()) branch = branch * scaling.picture_scales_I.view({-1, 1, 1});
        if (scaling.dropout.probability > 0) {
            // the first site of a fresh set of masks
            DropoutMasks masks(scaling.dropout.probability, scaling.dropout.key);
            branch = masks.apply(branch);
        }
        const at::Tensor sum = residual + branch;
        return {sum, at::layer_norm(sum, {width}, gamma, beta, epsilon)};
    }
    BranchEnd fused(const BranchScaling& scaling) const {
        return fused_residual_norm(x, bias, residual, gamma, beta, epsilon, scaling);
    }
    void check_gradients(const Leaves& wanted) const {
        check_close(x.grad(), wanted.x.grad(), "x");
        check_close(bias.grad(), wanted.bias.grad(), "bias");
        check_close(residual.grad(), wanted.residual.grad(), "residual");
        check_close(gamma.grad(), wanted.gamma.grad(), "gamma");
        check_close(beta.grad(), wanted.beta.grad(), "beta");
    }
};

}    // namespace

BOOST_AUTO_TEST_SUITE(fused)

BOOST_AUTO_TEST_CASE(residual_norm_has_the_gradients_of_its_parts) {
    const std::vector<BranchScaling> scalings = {{}, {{0.25, 77, 0}, {}}, {{}, at::rand({pictures}) + 0.5}};
    for (const BranchScaling& scaling : scalings) {
        for (const bool sum_used : {false, true}) {
            const Leaves own, other = own.copy();
            int runs = 0;
            torch::autograd::impl::set_post_acc_grad_hooks(own.gamma, std::make_unique<CountRuns>(runs));
            const at::Tensor of_sum = at::randn(own.x.sizes()), of_norm = at::randn(own.x.sizes());
            const auto loss = [&](const BranchEnd& made) {
                const at::Tensor of_the_norm = (made.normed * of_norm).sum();
                return sum_used ? of_the_norm + (made.sum * of_sum).sum() : of_the_norm;
            };
            for (int pass = 1; pass <= 2; ++pass) {    // parameters' gradients add up
                const BranchEnd made = own.fused(scaling), wanted = other.plainly(scaling);
                check_close(made.sum.detach(), wanted.sum.detach(), "sum");
                check_close(made.normed.detach(), wanted.normed.detach(), "norm");
                loss(made).backward();
                loss(wanted).backward();
                BOOST_TEST(runs == pass);
            }
            own.check_gradients(other);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_pair_computed_again_has_the_same_bits) {
    const Leaves plain, part = plain.copy();
    const at::Tensor second = leaf({pictures, tokens, width}), same = again(second);
    const auto function = [](const Leaves& leaves) {
        return [&leaves](const TensorPair& in) -> TensorPair {
            const BranchEnd made = fused_residual_norm(in[1].exp(), leaves.bias, in[0], leaves.gamma, leaves.beta,
                                                       epsilon, {{0.25, 77, 3}, {}});
            return {made.sum, made.normed};
        };
    };
    for (const bool sum_used : {true, false}) {
        const TensorPair y = function(plain)({plain.x, second}), z = recomputed(function(part), {part.x, same});
        const auto loss = [&](const TensorPair& made) {
            return sum_used ? (made[0].sin() + made[1].cos()).sum() : made[1].cos().sum();
        };
        loss(y).backward();
        loss(z).backward();
        BOOST_TEST(part.x.grad().equal(plain.x.grad()));
        BOOST_TEST(same.grad().equal(second.grad()));
        BOOST_TEST(part.bias.grad().equal(plain.bias.grad()));
        BOOST_TEST(part.gamma.grad().equal(plain.gamma.grad()));
    }
}

BOOST_AUTO_TEST_CASE(bias_gelu_has_the_gradients_of_its_parts) {
    const at::Tensor x = leaf({4, 7, width}), bias = leaf({width}), same_x = again(x), same_bias = again(bias);
    const at::Tensor of_y = at::randn(x.sizes());
    for (int pass = 0; pass < 2; ++pass) {
        (fused_bias_gelu(x, bias) * of_y).sum().backward();
        (at::gelu(same_x + same_bias) * of_y).sum().backward();
    }
    check_close(x.grad(), same_x.grad(), "x");
    check_close(bias.grad(), same_bias.grad(), "bias");
}

BOOST_AUTO_TEST_CASE(probabilities_have_the_gradient_of_their_parts) {
    constexpr std::int64_t length = 6;
    for (const bool causal : {false, true}) {
        for (const double probability : {0.0, 0.3}) {
            const at::Tensor scores = leaf({2, 3, length, length}), same = again(scores);
            DropoutMasks masks(probability, 5), same_masks(probability, 5);
            at::Tensor scaled = same * 0.3;
            if (causal)
                scaled = scaled.masked_fill(at::ones({length, length}, at::kBool).triu(1),
                                            -std::numeric_limits<float>::infinity());
            const at::Tensor wanted = same_masks.apply(at::softmax(scaled, -1));
            const at::Tensor made = fused_probabilities(scores, 0.3, causal, masks.next());
            check_close(made.detach(), wanted.detach(), "probabilities");
            const at::Tensor factor = at::randn(made.sizes());
            (made * factor).sum().backward();
            (wanted * factor).sum().backward();
            check_close(scores.grad(), same.grad(), "scores");
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// The bodies of the fused kernels, run on the host, against the same in LibTorch's operators: values by the operators
// in double, gradients by autograd. Odd widths and numbers of rows; in bf16 what is given out is rounded once.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <boost/test/unit_test.hpp>

#include "blip/base/error.h"
#include "blip/kernels/attention_probabilities.h"
#include "blip/kernels/column_sums.h"
#include "blip/kernels/patches.h"
#include "blip/kernels/residual_norm.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

constexpr at::ScalarType types[] = {at::kFloat, at::kBFloat16};
// Rows and width: more columns than a block has room for, more rows than chunks of 16.
constexpr std::int64_t shapes[][2] = {{1, 5}, {7, 96}, {33, 768}, {450, 40}, {7, 3072}, {7, 4500}, {20001, 12}};

at::Tensor drawn(at::IntArrayRef sizes, at::ScalarType type) { return at::randn(sizes, at::kFloat).to(type); }
at::Tensor leaf(const at::Tensor& x) { return x.to(at::kDouble).set_requires_grad(true); }

void is_near(const at::Tensor& got, const at::Tensor& wanted, at::ScalarType type, const char* what) {
    const at::Tensor expected = wanted.detach().to(at::kDouble);
    const double largest = std::max(expected.abs().max().item<double>(), 1e-3);
    const double off = (got.detach().to(at::kDouble) - expected).abs().max().item<double>() / largest;
    BOOST_TEST(off <= (type == at::kFloat ? tolerance::fused_kernels : tolerance::fused_kernels_bf16),
               what << " " << off << " of " << largest << " in " << type << wanted.sizes());
}

// The factors of a draw: what dropout makes of ones.
at::Tensor factors(const DropoutDraw& draw, at::IntArrayRef sizes) {
    if (draw.probability == 0) return at::ones(sizes, at::kDouble);
    DropoutMasks masks(draw.probability, draw.key);
    for (std::uint64_t site = 0; site < draw.site; ++site) masks.next();
    return masks.apply(at::ones(sizes, at::kFloat)).to(at::kDouble);
}

}    // namespace

BOOST_AUTO_TEST_SUITE(fused)

BOOST_AUTO_TEST_CASE(column_sums_are_added) {
    for (const at::ScalarType type : types) {
        for (const auto& [rows, width] : shapes) {
            const at::Tensor x = drawn({rows, width}, type), into = at::ones({width}, at::kFloat);
            add_column_sums(x, into);
            is_near(into, x.to(at::kDouble).sum(0) + 1, at::kFloat, "sums");
        }
    }
}

// Gradients as attention gives them: token by token, head by head, or, of keys that were transposed, column by column.
BOOST_AUTO_TEST_CASE(heads_are_stacked_and_summed) {
    for (const at::ScalarType type : types) {
        for (const auto& [batch, tokens] : {std::pair{1L, 1L}, {3L, 5L}, {40L, 91L}}) {
            for (const std::size_t count : {1U, 2U, 3U}) {
                const std::int64_t heads = 2, d = 7, width = static_cast<std::int64_t>(count) * heads * d;
                const at::Tensor by_token = drawn({batch, tokens, heads, d}, type).transpose(1, 2),
                                 by_head = drawn({batch, heads, tokens, d}, type),
                                 by_column = drawn({batch, heads, d, tokens}, type).transpose(2, 3);
                std::vector<at::Tensor> parts = {by_column, by_token, by_head}, rows;
                parts.resize(count);
                for (const at::Tensor& part : parts) rows.push_back(part.transpose(1, 2).flatten(2));
                const at::Tensor wanted = at::cat(rows, 2), into = at::ones({width}, at::kFloat);
                BOOST_TEST(stacked_heads(parts, into).equal(wanted));
                is_near(into, wanted.to(at::kDouble).flatten(0, 1).sum(0) + 1, at::kFloat, "sums");
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(bias_gelu_and_its_gradients) {
    for (const at::ScalarType type : types) {
        for (const auto& [rows, width] : shapes) {
            const at::Tensor x = drawn({rows, width}, type), bias = drawn({width}, type),
                             dy = drawn({rows, width}, type);
            const at::Tensor x_leaf = leaf(x), bias_leaf = leaf(bias);
            const at::Tensor wanted = at::gelu(x_leaf + bias_leaf);
            wanted.backward(dy.to(at::kDouble));
            is_near(bias_gelu(x, bias), wanted, type, "y");
            const at::Tensor into = at::zeros({width}, at::kFloat);
            const at::Tensor dx = bias_gelu_backward(dy, x, bias, into);
            is_near(dx, x_leaf.grad(), type, "dx");
            // Of the gradients as they were rounded: their errors add up.
            is_near(into, dx.to(at::kDouble).sum(0), at::kFloat, "dbias");
            if (type == at::kFloat) is_near(into, bias_leaf.grad(), type, "autograd's dbias");
        }
    }
}

BOOST_AUTO_TEST_CASE(residual_norm_and_its_gradients) {
    for (const at::ScalarType type : types) {
        for (const auto& [rows, width] : shapes) {
            for (const int way : {0, 1, 2}) {    // nothing scales; dropout; scales of pictures
                BranchScaling scaling;
                if (way == 1) scaling.dropout = {0.3, 77, 2};
                const std::int64_t pictures = rows % 7 == 0 ? 7 : 1;
                if (way == 2) scaling.picture_scales_I = at::randint(0, 3, {pictures}, at::kFloat) / 0.9;
                at::Tensor factor = factors(scaling.dropout, {rows, width});
                if (way == 2)
                    factor = scaling.picture_scales_I.to(type)
                                 .to(at::kDouble)
                                 .repeat_interleave(rows / pictures)
                                 .unsqueeze(1);
                const at::Tensor x = drawn({rows, width}, type), bias = drawn({width}, type),
                                 residual = drawn({rows, width}, type), gamma = drawn({width}, type),
                                 beta = drawn({width}, type), dy = drawn({rows, width}, type),
                                 dsum = drawn({rows, width}, type);
                const at::Tensor x_leaf = leaf(x), bias_leaf = leaf(bias), residual_leaf = leaf(residual),
                                 gamma_leaf = leaf(gamma), beta_leaf = leaf(beta);
                const NormedSum got = residual_norm(x, bias, residual, gamma, beta, 1e-6, scaling);
                is_near(got.sum, residual_leaf + (x_leaf + bias_leaf) * factor, type, "sum");
                // From the sum as it was rounded.
                at::Tensor sum = residual_leaf + (x_leaf + bias_leaf) * factor;
                sum = sum + (got.sum.to(at::kDouble) - sum).detach();
                const at::Tensor y = at::layer_norm(sum, {width}, gamma_leaf, beta_leaf, 1e-6);
                is_near(got.y, y, type, "y");
                (y * dy.to(at::kDouble) + sum * dsum.to(at::kDouble)).sum().backward();
                const NormGradientSums into{at::zeros({width}), at::zeros({width}), at::zeros({width})};
                const NormGradients gradients = residual_norm_backward(dy, dsum, got, gamma, scaling, into);
                is_near(gradients.residual, residual_leaf.grad(), type, "dresidual");
                is_near(gradients.x, x_leaf.grad(), type, "dx");
                BOOST_TEST(gradients.x.is_same(gradients.residual) == (way == 0));
                is_near(into.gamma, gamma_leaf.grad(), type, "dgamma");
                is_near(into.beta, beta_leaf.grad(), type, "dbeta");
                is_near(into.bias, gradients.x.to(at::kDouble).sum(0), at::kFloat, "dbias");
                if (type == at::kFloat) is_near(into.bias, bias_leaf.grad(), type, "autograd's dbias");
            }
        }
    }
}

// As where a bf16 branch is multiplied by LibTorch: 1 / 0.9 is rounded first.
BOOST_AUTO_TEST_CASE(scales_of_pictures_have_the_precision_of_the_branch) {
    for (const at::ScalarType type : types) {
        const std::int64_t rows = 6, width = 96, pictures = 2;
        const at::Tensor x = drawn({rows, width}, type), nothing = at::zeros({rows, width}, type),
                         of_columns = at::zeros({width}, type);
        const BranchScaling scaling{{}, at::ones({pictures}, at::kFloat) / 0.9};
        const NormedSum got = residual_norm(x, of_columns, nothing, of_columns, of_columns, 1e-6, scaling);
        BOOST_TEST(got.sum.equal(x * scaling.picture_scales_I[0].to(type)), type);
        // a gamma of 0 leaves the gradient of the sum
        const NormGradientSums into{at::zeros({width}), at::zeros({width}), at::zeros({width})};
        const NormGradients gradients = residual_norm_backward(nothing, x, got, of_columns, scaling, into);
        BOOST_TEST(gradients.residual.equal(x), type);
        BOOST_TEST(gradients.x.equal(x * scaling.picture_scales_I[0].to(type)), type);
    }
}

// A kernel would read or write past the end of these, or in the wrong order.
BOOST_AUTO_TEST_CASE(tensors_of_other_sizes_types_or_order_are_refused) {
    const at::Tensor x = drawn({6, 8}, at::kFloat), bias = drawn({8}, at::kFloat), into = at::zeros({8});
    BOOST_CHECK_THROW(add_column_sums(drawn({8, 6}, at::kFloat).t(), into), Error);
    BOOST_CHECK_THROW(add_column_sums(x, at::zeros({7})), Error);
    BOOST_CHECK_THROW(add_column_sums(x, at::zeros({8}, at::kBFloat16)), Error);
    BOOST_CHECK_THROW(add_column_sums(x.to(at::kDouble), into), Error);
    BOOST_CHECK_THROW(bias_gelu(x, bias.slice(0, 1)), Error);
    BOOST_CHECK_THROW(bias_gelu(x, bias.to(at::kBFloat16)), Error);
    BOOST_CHECK_THROW(bias_gelu_backward(bias.expand({6, 8}), x, bias, into), Error);
    const at::Tensor heads = drawn({2, 2, 3, 4}, at::kFloat);    // of two heads each: 8 columns
    BOOST_CHECK_NO_THROW(stacked_heads({heads}, into));
    BOOST_CHECK_THROW(stacked_heads({heads, heads}, into), Error);
    BOOST_CHECK_THROW(stacked_heads({}, into), Error);
    BOOST_CHECK_THROW(stacked_heads({heads, heads, heads, heads}, at::zeros({32})), Error);
    BOOST_CHECK_THROW(stacked_heads({heads, heads.slice(2, 1)}, at::zeros({16})), Error);
    BOOST_CHECK_THROW(stacked_heads({heads, heads.to(at::kBFloat16)}, at::zeros({16})), Error);
    BOOST_CHECK_THROW(stacked_heads({heads.flatten(2)}, into), Error);
    const auto normed = [&](const at::Tensor& residual, const at::Tensor& scales) {
        return residual_norm(x, bias, residual, bias, bias, 1e-6, {{}, scales});
    };
    BOOST_CHECK_NO_THROW(normed(x, at::ones({3})));
    BOOST_CHECK_THROW(normed(x.slice(0, 1), at::ones({3})), Error);
    BOOST_CHECK_THROW(normed(x, at::ones({4})), Error);
    BOOST_CHECK_THROW(attention_probabilities(x.view({8, 6}), 1, true, {}), Error);
    const at::Tensor pixels = at::zeros({1, 3, 32, 32}, at::kByte);
    BOOST_CHECK_THROW(normalised_patches(pixels, 5, {}, {1, 1, 1}, at::kFloat), Error);
    BOOST_CHECK_THROW(normalised_patches(pixels.to(at::kFloat), 8, {}, {1, 1, 1}, at::kFloat), Error);
}

BOOST_AUTO_TEST_CASE(attention_probabilities_and_their_gradient) {
    for (const at::ScalarType type : types) {
        for (const auto& [queries, keys] : {std::pair{1L, 1L}, {5L, 5L}, {9L, 33L}, {26L, 577L}}) {
            for (const bool causal : {false, true}) {
                if (causal && queries != keys) continue;
                for (const DropoutDraw& draw : {DropoutDraw{}, DropoutDraw{0.1, 5, 3}}) {
                    const at::Tensor scores = drawn({2, 3, queries, keys}, type) * 4;
                    const at::Tensor gradient = drawn({2, 3, queries, keys}, type), scores_leaf = leaf(scores);
                    at::Tensor scaled = scores_leaf * 0.25;
                    if (causal) scaled = scaled.masked_fill(at::ones({queries, keys}, at::kBool).triu(1), -INFINITY);
                    const at::Tensor whole = at::softmax(scaled, -1);
                    const at::Tensor factor = factors(draw, scores.sizes());
                    (whole * factor).backward(gradient.to(at::kDouble));
                    const AttentionProbabilities got = attention_probabilities(scores, 0.25, causal, draw);
                    is_near(got.whole, whole, type, "whole");
                    // From the probabilities as they were rounded (the softmax's own gradient).
                    const at::Tensor p = got.whole.to(at::kDouble), product = gradient.to(at::kDouble) * factor * p;
                    is_near(got.dropped, p * factor, type, "dropped");
                    const at::Tensor of_scores = attention_probabilities_backward(gradient, got.whole, 0.25, draw);
                    is_near(of_scores, (product - p * product.sum(-1, true)) * 0.25, type, "gradient");
                    if (type == at::kFloat) is_near(of_scores, scores_leaf.grad(), type, "autograd's gradient");
                }
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(keys_that_fill_rows_up_change_nothing) {
    constexpr std::int64_t keys = 13, row = 16;
    for (const at::ScalarType type : types) {
        const DropoutDraw draw{0.3, 7, 2};
        const at::Tensor scores = drawn({2, 5, row}, type), gradient = drawn({2, 5, row}, type);
        const auto real = [](const at::Tensor& x) { return x.narrow(2, 0, keys).contiguous(); };
        const auto filling = [](const at::Tensor& x) {
            return x.narrow(2, keys, row - keys).abs().max().item<double>();
        };
        const AttentionProbabilities got = attention_probabilities(scores, 0.5, false, draw, keys);
        const AttentionProbabilities wanted = attention_probabilities(real(scores), 0.5, false, draw);
        BOOST_TEST(real(got.whole).equal(wanted.whole));
        BOOST_TEST(real(got.dropped).equal(wanted.dropped));
        const at::Tensor of_scores = attention_probabilities_backward(gradient, got.whole, 0.5, draw, keys);
        BOOST_TEST(real(of_scores).equal(attention_probabilities_backward(real(gradient), wanted.whole, 0.5, draw)));
        for (const at::Tensor& x : {got.whole, got.dropped, of_scores}) BOOST_TEST(filling(x) == 0);
        BOOST_CHECK_THROW(attention_probabilities(scores, 0.5, false, draw, row + 1), Error);
    }
}

BOOST_AUTO_TEST_CASE(patches_are_those_of_the_operators) {
    const std::array<float, 3> mean = {0.48F, 0.46F, 0.41F}, deviation = {0.27F, 0.26F, 0.28F};
    const at::Tensor pixels = at::randint(0, 256, {2, 3, 32, 32}, at::kByte);
    at::Tensor normalised = pixels.to(at::kFloat).div_(255);
    for (std::int64_t c = 0; c < 3; ++c)
        normalised.select(1, c).sub_(mean[static_cast<std::size_t>(c)]).div_(deviation[static_cast<std::size_t>(c)]);
    const at::Tensor wanted =
        normalised.view({2, 3, 4, 8, 4, 8}).permute({0, 2, 4, 1, 3, 5}).reshape({2, 16, 3 * 8 * 8});
    for (const at::ScalarType type : types)
        is_near(normalised_patches(pixels, 8, mean, deviation, type), wanted.to(type), at::kFloat, "patches");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

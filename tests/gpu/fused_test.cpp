// The fused kernels on a GPU against their CPU twins. Sums are taken in one and the same tree on both, so all but exp
// and erf, which each side's library rounds in its own way, has the same bits.
#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <boost/test/unit_test.hpp>

#include "blip/kernels/attention_probabilities.h"
#include "blip/kernels/column_sums.h"
#include "blip/kernels/patches.h"
#include "blip/kernels/residual_norm.h"
#include "tests/gpu/gpu.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

constexpr at::ScalarType types[] = {at::kFloat, at::kBFloat16};
// Rows and width: more columns than a block has room for, more rows than chunks of 16.
constexpr std::int64_t shapes[][2] = {{1, 5}, {7, 96}, {33, 768}, {450, 40}, {7, 3072}, {7, 4500}, {20001, 12}};

at::Tensor drawn(at::IntArrayRef sizes, at::ScalarType type) { return at::randn(sizes, at::kFloat).to(type); }
at::Tensor there(const at::Tensor& x) { return x.to(gpu); }

void is_same(const at::Tensor& of_gpu, const at::Tensor& of_cpu, const char* what) {
    BOOST_TEST(of_gpu.is_cuda());
    BOOST_TEST(of_gpu.cpu().equal(of_cpu), what << " in " << of_cpu.scalar_type() << of_cpu.sizes());
}
void is_near(const at::Tensor& of_gpu, const at::Tensor& of_cpu, const char* what) {
    BOOST_TEST(of_gpu.is_cuda());
    const at::Tensor expected = of_cpu.to(at::kDouble);
    const double off = (of_gpu.cpu().to(at::kDouble) - expected).abs().max().item<double>() /
                       std::max(expected.abs().max().item<double>(), 1e-3);
    const bool in_bf16 = of_cpu.scalar_type() == at::kBFloat16;
    BOOST_TEST(off <= (in_bf16 ? tolerance::gpu_bf16_rounding : tolerance::gpu_fp32),
               what << " " << off << " in " << of_cpu.scalar_type() << of_cpu.sizes());
}

// One way with the same inputs on either side.
struct NormCase {
    at::Tensor x, bias, residual, gamma, beta, dy, dsum;
    BranchScaling scaling;
    std::vector<at::Tensor> results;

    void compute(bool on_gpu) {
        const auto on = [&](const at::Tensor& tensor) { return on_gpu && tensor.defined() ? there(tensor) : tensor; };
        const BranchScaling own{scaling.dropout, on(scaling.picture_scales_I)};
        const NormedSum normed = residual_norm(on(x), on(bias), on(residual), on(gamma), on(beta), 1e-6, own);
        const auto start = [&] { return on(at::ones({x.size(-1)}, at::kFloat)); };
        const NormGradientSums into{start(), start(), start()};
        const NormGradients gradients = residual_norm_backward(on(dy), on(dsum), normed, on(gamma), own, into);
        results = {normed.sum,  normed.y,   normed.mean, normed.inverse_std, gradients.residual,
                   gradients.x, into.gamma, into.beta,   into.bias};
    }
};

}    // namespace

BOOST_AUTO_TEST_SUITE(fused_gpu)

BOOST_AUTO_TEST_CASE(residual_norm_has_the_bits_of_its_cpu_twin) {
    for (const at::ScalarType type : types) {
        for (const auto& [rows, width] : shapes) {
            for (const int way :
                 {0, 1, 2, 3}) {    // nothing scales; dropout; scales of pictures; no gradient of the sum
                NormCase on_cpu;
                for (at::Tensor* of_rows : {&on_cpu.x, &on_cpu.residual, &on_cpu.dy})
                    *of_rows = drawn({rows, width}, type);
                for (at::Tensor* of_columns : {&on_cpu.bias, &on_cpu.gamma, &on_cpu.beta})
                    *of_columns = drawn({width}, type);
                if (way != 3) on_cpu.dsum = drawn({rows, width}, type);
                if (way == 1) on_cpu.scaling.dropout = {0.3, 77, 2};
                if (way == 2)
                    on_cpu.scaling.picture_scales_I = at::randint(0, 3, {rows % 7 == 0 ? 7 : 1}, at::kFloat) / 0.9;
                NormCase on_gpu = on_cpu;
                on_cpu.compute(false);
                on_gpu.compute(true);
                for (std::size_t i = 0; i < on_cpu.results.size(); ++i)
                    is_same(on_gpu.results[i], on_cpu.results[i], "residual norm");
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(column_sums_have_the_bits_of_their_cpu_twin) {
    for (const at::ScalarType type : types) {
        for (const auto& [rows, width] : shapes) {
            const at::Tensor x = drawn({rows, width}, type), of_cpu = at::ones({width}, at::kFloat),
                             of_gpu = there(of_cpu);
            add_column_sums(there(x), of_gpu);
            add_column_sums(x, of_cpu);
            is_same(of_gpu, of_cpu, "column sums");
        }
    }
}

BOOST_AUTO_TEST_CASE(stacked_heads_have_the_bits_of_their_cpu_twin) {
    for (const at::ScalarType type : types) {
        for (const auto& [batch, tokens] : {std::pair{1L, 1L}, {3L, 26L}, {9L, 577L}}) {
            const std::int64_t heads = 3, d = 64;
            const std::vector<at::Tensor> here = {drawn({batch, tokens, heads, d}, type).transpose(1, 2),
                                                  drawn({batch, heads, tokens, d}, type),
                                                  drawn({batch, heads, d, tokens}, type).transpose(2, 3)};
            std::vector<at::Tensor> on_gpu;
            for (const at::Tensor& part : here) on_gpu.push_back(there(part));
            const at::Tensor of_cpu = at::ones({3 * heads * d}, at::kFloat), of_gpu = there(of_cpu);
            is_same(stacked_heads(on_gpu, of_gpu), stacked_heads(here, of_cpu), "stack of heads");
            is_same(of_gpu, of_cpu, "its sums");
        }
    }
}

BOOST_AUTO_TEST_CASE(bias_gelu_equals_its_cpu_twin) {
    for (const at::ScalarType type : types) {
        for (const auto& [rows, width] : shapes) {
            const at::Tensor x = drawn({rows, width}, type), bias = drawn({width}, type),
                             dy = drawn({rows, width}, type), of_cpu = at::ones({width}, at::kFloat),
                             of_gpu = there(of_cpu);
            is_near(bias_gelu(there(x), there(bias)), bias_gelu(x, bias), "bias gelu");
            is_near(bias_gelu_backward(there(dy), there(x), there(bias), of_gpu),
                    bias_gelu_backward(dy, x, bias, of_cpu), "its gradient");
            // In bf16 it is a sum of what was rounded, where erf's last bit may decide.
            is_near(of_gpu.to(type), of_cpu.to(type), "that of the bias");
        }
    }
}

BOOST_AUTO_TEST_CASE(attention_probabilities_equal_their_cpu_twin) {
    for (const at::ScalarType type : types) {
        for (const auto& [queries, keys] : {std::pair{1L, 1L}, {5L, 5L}, {33L, 33L}, {26L, 577L}}) {
            for (const DropoutDraw& draw : {DropoutDraw{}, DropoutDraw{0.1, 5, 3}}) {
                const bool causal = queries == keys;
                const at::Tensor scores = drawn({2, 3, queries, keys}, type) * 4;
                const at::Tensor gradient = drawn({2, 3, queries, keys}, type);
                const AttentionProbabilities on_cpu = attention_probabilities(scores, 0.25, causal, draw);
                const AttentionProbabilities on_gpu = attention_probabilities(there(scores), 0.25, causal, draw);
                is_near(on_gpu.whole, on_cpu.whole, "probabilities");
                is_near(on_gpu.dropped, on_cpu.dropped, "dropped");
                BOOST_TEST(on_gpu.dropped.ne(0).cpu().equal(on_cpu.dropped.ne(0)), "the mask");
                // Backward has no exp.
                is_same(attention_probabilities_backward(there(gradient), there(on_cpu.whole), 0.25, draw),
                        attention_probabilities_backward(gradient, on_cpu.whole, 0.25, draw), "gradient");
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(patches_have_the_bits_of_their_cpu_twin) {
    const std::array<float, 3> mean = {0.48F, 0.46F, 0.41F}, deviation = {0.27F, 0.26F, 0.28F};
    const at::Tensor pixels = at::randint(0, 256, {3, 3, 48, 48}, at::kByte);
    for (const at::ScalarType type : types)
        is_same(normalised_patches(there(pixels), 16, mean, deviation, type),
                normalised_patches(pixels, 16, mean, deviation, type), "patches");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

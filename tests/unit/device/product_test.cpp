// linear_product against the same product in double precision, of sizes for either of its libraries.
#include "blip/device/product.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/matmul.h>

#include <array>
#include <boost/test/unit_test.hpp>

#include "blip/device/device.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

// Values of one size without a pattern that a wrong stride would keep.
at::Tensor drawn(at::IntArrayRef sizes, double phase) {
    return at::arange(c10::multiply_integers(sizes), at::kDouble)
        .mul_(12.9898)
        .add_(phase)
        .sin_()
        .mul_(43.7)
        .sin_()
        .view(sizes)
        .to(at::kFloat);
}

double error_of(const at::Tensor& product, const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias) {
    at::Tensor expected = at::matmul(x.to(at::kDouble), weight_OI.to(at::kDouble).t());
    if (bias.defined()) expected = expected + bias.to(at::kDouble);
    BOOST_REQUIRE(product.sizes() == expected.sizes());
    return ((product.to(at::kDouble) - expected).abs().max() / expected.abs().max()).item<double>();
}

BOOST_AUTO_TEST_SUITE(product)

BOOST_AUTO_TEST_CASE(products_of_any_size_and_strides_are_the_exact_ones) {
    // rows, inputs, outputs: small; a vocabulary's; a few rows; odd ones; no rows
    for (const auto [rows, inputs, outputs] :
         {std::array<std::int64_t, 3>{6, 10, 14}, {40, 56, 30524}, {3, 520, 515}, {258, 257, 259}, {0, 64, 64}}) {
        const at::Tensor x = drawn({rows, inputs}, 1), weight = drawn({outputs, inputs}, 2), bias = drawn({outputs}, 3);
        if (rows == 0) {
            BOOST_TEST(linear_product(x, weight, bias).sizes() == at::IntArrayRef({0, outputs}));
            continue;
        }
        BOOST_TEST(error_of(linear_product(x, weight, bias), x, weight, bias) <= tolerance::matrix_product);
        BOOST_TEST(error_of(linear_product(x, weight), x, weight, {}) <= tolerance::matrix_product);
        // a gradient of x; rows of two dimensions, columns of a wider table
        const at::Tensor of_y = drawn({rows, outputs}, 4);
        BOOST_TEST(error_of(linear_product(of_y, weight.t()), of_y, weight.t(), {}) <= tolerance::matrix_product);
        const at::Tensor wide = drawn({2, rows, inputs + 5}, 5).narrow(2, 3, inputs);
        BOOST_TEST(error_of(linear_product(wide, weight, bias), wide, weight, bias) <= tolerance::matrix_product);
    }
}

BOOST_AUTO_TEST_CASE(a_recorded_product_has_gradients) {
    const at::Tensor x = drawn({40, 56}, 1).requires_grad_(), weight = drawn({30524, 56}, 2);
    linear_product(x, weight).sum().backward();
    const at::Tensor expected = weight.to(at::kDouble).sum(0);
    BOOST_TEST(((x.grad()[7].to(at::kDouble) - expected).abs().max() / expected.abs().max()).item<double>() <=
               tolerance::matrix_product);
}

// What is allowed to a GPU's products stays with them, and the same product has the same bits.
BOOST_AUTO_TEST_CASE(bits_repeat_whatever_a_gpu_may_do) {
    const at::Tensor x = drawn({240, 768}, 1), weight = drawn({768, 768}, 2);
    const at::Tensor once = linear_product(x, weight);
    set_numerics({.allow_tf32 = true});
    const at::Tensor again = linear_product(x.clone(), weight.clone());
    set_numerics({});
    BOOST_TEST(once.equal(again));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

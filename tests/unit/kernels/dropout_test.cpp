// Keyed dropout: the same mask for the same key whatever the threads, another for another key or site; share and scale.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "blip/kernels/dropout.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(dropout)

BOOST_AUTO_TEST_CASE(mask_is_a_function_of_key_and_site) {
    const at::Tensor x = at::ones({301, 997});
    at::set_num_threads(1);
    DropoutMasks first(0.1, 77);
    const at::Tensor a = first.apply(x), b = first.apply(x);
    at::set_num_threads(2);
    DropoutMasks again(0.1, 77), other(0.1, 78);
    BOOST_TEST(again.apply(x).equal(a));
    BOOST_TEST(again.apply(x).equal(b));
    BOOST_TEST(!a.equal(b));
    BOOST_TEST(!other.apply(x).equal(a));
}

BOOST_AUTO_TEST_CASE(share_and_scale) {
    const at::Tensor x = at::ones({1000, 1000});
    DropoutMasks masks(0.1, 1);
    const at::Tensor y = masks.apply(x);
    const double dropped = y.eq(0).sum().item<double>() / 1e6;
    BOOST_TEST(std::abs(dropped - 0.1) < 5 * std::sqrt(0.1 * 0.9 / 1e6));
    BOOST_TEST(y.max().item<float>() == static_cast<float>(1 / 0.9));
    BOOST_TEST(DropoutMasks::none().apply(x).equal(x));
}

BOOST_AUTO_TEST_CASE(gradient_uses_the_same_mask) {
    at::Tensor x = at::ones({50, 50}).set_requires_grad(true);
    DropoutMasks masks(0.5, 9);
    const at::Tensor y = masks.apply(x);
    y.sum().backward();
    BOOST_TEST(x.grad().equal(y.detach()));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// Keyed dropout: the same mask for the same key whatever the threads and the precision, another for another key or
// site; share and scale; the kernel's body as a GPU would run it.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/kernels/dropout.h"
#include "src/kernels/dropout_kernel.h"

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

// Every group of four by itself and in another order, as threads of a kernel may come; what lies behind the last
// element is left alone.
template <class Value>
void body_equals_operator(at::ScalarType type) {
    for (const std::int64_t count : {1, 2, 3, 4, 5, 7, 8191, 100003}) {
        const at::Tensor x = at::linspace(-3, 3, count + 4, at::kFloat).to(type);
        at::Tensor y = x.clone();
        for (const std::uint64_t site : {0, 1, 977}) {
            DropoutMasks masks(0.3, 0xfedcba9876543210);
            at::Tensor expected;
            for (std::uint64_t i = 0; i <= site; ++i) expected = masks.apply(x.narrow(0, 0, count));
            const DropoutBody<Value> body{static_cast<const Value*>(x.const_data_ptr()),
                                          static_cast<Value*>(y.mutable_data_ptr()),
                                          count,
                                          {0xfedcba9876543210, site << 40, static_cast<std::uint32_t>(0.3 * 0x1p32),
                                           static_cast<float>(1 / 0.7)}};
            for (std::int64_t group = (count + 3) / 4; group-- > 0;) body(group);
            BOOST_TEST(y.narrow(0, 0, count).equal(expected), "count " << count << " site " << site);
            BOOST_TEST(y.narrow(0, count, 4).equal(x.narrow(0, count, 4)));
        }
    }
}

BOOST_AUTO_TEST_CASE(kernel_body_equals_the_operator) {
    body_equals_operator<float>(at::kFloat);
    body_equals_operator<Bf16>(at::kBFloat16);
}

// The words as base/random.h draws them, at the far end of a site's counters.
BOOST_AUTO_TEST_CASE(masks_are_the_words_of_the_counter) {
    const std::uint64_t site = 12345, group = (std::uint64_t{1} << 40) - 1;
    const auto words = philox(99, (site << 40) + group);
    const float ones[4] = {1, 1, 1, 1};
    float masked[4] = {};
    const std::int64_t first = static_cast<std::int64_t>(4 * group);
    // pointers such that the body's element numbers fall on the four values; only those are touched
    const auto shifted = [&](const float* values) {
        return reinterpret_cast<std::uintptr_t>(values) - static_cast<std::uintptr_t>(first) * sizeof(float);
    };
    const DropoutBody<float> body{reinterpret_cast<const float*>(shifted(ones)),
                                  reinterpret_cast<float*>(shifted(masked)),
                                  first + 3,
                                  {99, site << 40, 0x80000000, 2.0F}};
    body(static_cast<std::int64_t>(group));
    for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(masked[i] == (words[i] < 0x80000000 ? 0.0F : 2.0F));
    BOOST_TEST(masked[3] == 0.0F);    // beyond the count
}

// The mask does not depend on the precision, and the factor is not rounded to bf16 (1.1111 would become 1.1094).
BOOST_AUTO_TEST_CASE(bf16_has_the_masks_of_fp32) {
    const at::Tensor x = at::linspace(0.5, 2, 40009, at::kFloat).to(at::kBFloat16);
    DropoutMasks masks(0.1, 5), same(0.1, 5);
    const at::Tensor y = masks.apply(x), exact = same.apply(x.to(at::kFloat));
    BOOST_TEST((y.scalar_type() == at::kBFloat16));
    BOOST_TEST(y.equal(exact.to(at::kBFloat16)));
    BOOST_TEST(std::abs(y.to(at::kDouble).sum().item<double>() / exact.to(at::kDouble).sum().item<double>() - 1) <
               1e-4);
    const at::Tensor leaf = x.clone().set_requires_grad(true);
    DropoutMasks again(0.1, 5);
    again.apply(leaf).sum().backward();
    BOOST_TEST(leaf.grad().ne(0).equal(y.ne(0)));
}

// Bf16 of the kernel against LibTorch's: every upper half of a float with some lower halves, NaN and infinities.
BOOST_AUTO_TEST_CASE(bf16_rounds_as_libtorch_does) {
    int wrong = 0;
    for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
        for (const std::uint32_t lower : {0x0000U, 0x0001U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
            const auto value = std::bit_cast<float>(upper << 16 | lower);
            Bf16 rounded{};
            store(value, rounded);
            wrong += rounded.bits != c10::BFloat16(value).x;
        }
        const float back = as_float(Bf16{static_cast<std::uint16_t>(upper)});
        wrong += std::bit_cast<std::uint32_t>(back) != upper << 16;
    }
    BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE(layout_in_memory_does_not_matter_and_other_precisions_are_refused) {
    const at::Tensor x = at::linspace(-1, 1, 35 * 17, at::kFloat).view({35, 17}), transposed = x.t().contiguous().t();
    DropoutMasks first(0.4, 3), second(0.4, 3), third(0.4, 3);
    BOOST_TEST(first.apply(x).equal(second.apply(transposed)));
    BOOST_CHECK_THROW(third.apply(x.to(at::kDouble)), Error);
}

// What is not a number must not vanish behind a mask: training has to see it.
BOOST_AUTO_TEST_CASE(faults_pass_through) {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        DropoutMasks masks(0.5, 1);
        const at::Tensor y = masks.apply(at::ones({64}).mul(bad));
        BOOST_TEST(y.isfinite().any().item<bool>() == false);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// Keyed dropout: the same mask for the same key whatever the threads, the precision and the micro-batch, another for
// another key or site; share and scale; the kernel's body as a GPU would run it.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>

#include <array>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "blip/base/error.h"
#include "blip/base/philox.h"
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

// Captions side by side in each head have the masks that they have by themselves.
BOOST_AUTO_TEST_CASE(captions_side_by_side) {
    constexpr std::int64_t pictures = 2, captions = 3, heads = 4, tokens = 5, width = 7;
    DropoutMasks alone(0.4, 5, 10), together(0.4, 5, 10);
    const at::Tensor wanted = alone.apply(at::ones({pictures * captions, heads, tokens, width}));
    const at::Tensor got = together.apply(at::ones({pictures, heads, captions * tokens, width}), captions);
    BOOST_TEST(
        got.view({pictures, heads, captions, tokens, width}).transpose(1, 2).reshape(wanted.sizes()).equal(wanted));
}

BOOST_AUTO_TEST_CASE(gradient_uses_the_same_mask) {
    at::Tensor x = at::ones({50, 50}).set_requires_grad(true);
    DropoutMasks masks(0.5, 9);
    const at::Tensor y = masks.apply(x);
    y.sum().backward();
    BOOST_TEST(x.grad().equal(y.detach()));
}

// Every block by itself and in another order, as threads of a kernel may come; what lies behind the last element is
// left alone.
template <class Value>
void body_equals_operator(at::ScalarType type) {
    for (const auto& [rows, width] : {std::pair{1L, 1L}, {1L, 3L}, {1L, 8191L}, {7L, 4L}, {5L, 13L}, {100L, 577L}}) {
        const std::int64_t values = rows * width;
        const at::Tensor x = at::linspace(-3, 3, values + 4, at::kFloat).to(type);
        at::Tensor y = x.clone();
        for (const std::uint32_t site : {0, 1, 977}) {
            DropoutMasks masks(0.3, 0xfedcba9876543210);
            at::Tensor expected;
            for (std::uint32_t i = 0; i <= site; ++i)
                expected = masks.apply(x.narrow(0, 0, values).view({rows, width}));
            const auto all = static_cast<std::uint32_t>(rows);
            const DropoutBody<Value> body{static_cast<const Value*>(x.const_data_ptr()),
                                          static_cast<Value*>(y.mutable_data_ptr()),
                                          rows,
                                          width,
                                          {0xfedcba9876543210, site, 0, static_cast<std::uint32_t>(0.3 * 0x1p32),
                                           static_cast<float>(1 / 0.7), 1, all}};
            for (std::int64_t index = body.count(); index-- > 0;) body(index);
            BOOST_TEST(y.narrow(0, 0, values).view({rows, width}).equal(expected), width << " wide, site " << site);
            BOOST_TEST(y.narrow(0, values, 4).equal(x.narrow(0, values, 4)));
        }
    }
}

BOOST_AUTO_TEST_CASE(kernel_body_equals_the_operator) {
    body_equals_operator<float>(at::kFloat);
    body_equals_operator<Bf16>(at::kBFloat16);
}

// What a caption's mask is must not depend on the micro-batch it is in, nor on the length of what is beside it.
BOOST_AUTO_TEST_CASE(a_caption_has_its_masks_in_any_micro_batch) {
    constexpr std::int64_t captions = 6, heads = 3, tokens = 9, keys = 13;
    const at::Tensor whole = DropoutMasks(0.4, 21).apply(at::ones({captions, heads, tokens, keys}));
    for (const auto& [first, count, length, seen] :
         {std::array<std::int64_t, 4>{0, 2, 9, 13}, {3, 3, 5, 6}, {5, 1, 1, 1}}) {
        const at::Tensor part = DropoutMasks(0.4, 21, first).apply(at::ones({count, heads, length, seen}));
        BOOST_TEST(part.equal(whole.narrow(0, first, count).narrow(2, 0, length).narrow(3, 0, seen)));
    }
    const at::Tensor hidden = DropoutMasks(0.4, 22, 7).apply(at::ones({2, tokens, keys}));
    BOOST_TEST(DropoutMasks(0.4, 22, 8).apply(at::ones({1, 4, keys})).equal(hidden.narrow(0, 1, 1).narrow(1, 0, 4)));
    BOOST_TEST(!hidden[0].equal(hidden[1]));
    // rows by token and head, as where a picture's tokens are attended to
    const at::Tensor by_token = DropoutMasks(0.4, 21).apply(at::ones({captions, tokens * heads, keys}));
    BOOST_TEST(by_token.view({captions, tokens, heads, keys}).transpose(1, 2).equal(whole));
}

// The words of the documented counter: block of four columns, row of the caption, caption, site.
BOOST_AUTO_TEST_CASE(masks_are_the_words_of_the_counter) {
    constexpr std::int64_t heads = 2, tokens = 5, width = 11;
    DropoutMasks masks(0.5, 99, 30);
    masks.next();
    const at::Tensor made = masks.apply(at::ones({3, heads, tokens, width}));
    for (const auto& [caption, head, token, column] :
         {std::array<std::int64_t, 4>{0, 0, 0, 0}, {2, 1, 4, 10}, {1, 0, 3, 6}}) {
        std::uint32_t words[4];
        const auto number = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
        philox_words(99, {{number(column / 4), number(token * heads + head), number(30 + caption), 1}}, words);
        const float wanted = words[column % 4] < 0x80000000 ? 0.0F : 2.0F;
        BOOST_TEST(made[caption][head][token][column].item<float>() == wanted);
    }
    // and those that base/random.h draws
    const auto same = philox(99, std::uint64_t{7} << 32 | 5);
    std::uint32_t words[4];
    philox_words(99, {{5, 7, 0, 0}}, words);
    BOOST_TEST(same == std::to_array(words), boost::test_tools::per_element());
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

// PictureAttention against attention written out with keys and values: contexts, and every gradient by autograd.
#include "src/model/picture_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "tests/tolerances.h"
#include "tests/unit/model/gradients.h"

namespace blip::test {
namespace {

constexpr std::int64_t captions = 3, length = 4, picture_tokens = 7, picture_width = 10, heads = 2, hidden = 8,
                       layers = 2;

struct Inputs {
    at::Tensor pictures = at::randn({captions, picture_tokens, picture_width}),
               query = at::randn({captions, length, hidden}),
               weight = at::randn({2 * layers * hidden, picture_width}) * 0.5, bias = at::randn({2 * layers * hidden});

    Inputs copy() const {
        const auto leaf = [](const at::Tensor& x) { return x.detach().clone().set_requires_grad(true); };
        return {leaf(pictures), leaf(query), leaf(weight), leaf(bias)};
    }
};

void check_gradients(const Inputs& got, const Inputs& wanted) {
    check_close(got.query.grad(), wanted.query.grad(), "query");
    check_close(got.pictures.grad(), wanted.pictures.grad(), "pictures");
    check_close(got.weight.grad(), wanted.weight.grad(), "weight");
    check_close(got.bias.grad(), wanted.bias.grad(), "bias");
}

at::Tensor without_keys(const Inputs& in, DropoutMasks dropout) {
    const PictureAttention attention(in.pictures, in.weight, in.bias, layers, heads);
    return attention.attend(1, attention.attend(0, in.query, dropout).sin(), dropout);
}

at::Tensor with_keys(const Inputs& in, DropoutMasks dropout) {
    at::Tensor x = in.query;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
        if (layer > 0) x = x.sin();
        const auto of_picture = [&](std::int64_t part) {
            const std::int64_t first = (2 * layer + part) * hidden;
            return at::linear(in.pictures, in.weight.narrow(0, first, hidden), in.bias.narrow(0, first, hidden))
                .view({captions, picture_tokens, heads, -1})
                .transpose(1, 2);
        };
        const at::Tensor q = x.view({captions, length, heads, -1}).transpose(1, 2);
        const at::Tensor scores = at::matmul(q, of_picture(0).transpose(2, 3)) / std::sqrt(1.0 * hidden / heads);
        const at::Tensor p = dropout.apply(at::softmax(scores, -1));
        x = at::matmul(p, of_picture(1)).transpose(1, 2).reshape({captions, length, hidden});
    }
    return x;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(picture_attention)

BOOST_AUTO_TEST_CASE(equals_attention_with_keys_and_values) {
    for (const double probability : {0.0, 0.3}) {
        const DropoutMasks dropout(probability, 11);
        const Inputs drawn, ours = drawn.copy(), plain = drawn.copy();
        for (int micro_batch = 0; micro_batch < 2; ++micro_batch) {    // the second adds to gradients that are there
            const at::Tensor factor = at::randn({captions, length, hidden});
            const at::Tensor got = without_keys(ours, dropout), wanted = with_keys(plain, dropout);
            check_close(got.detach(), wanted.detach(), "context");
            (got * factor).sum().backward();
            (wanted * factor).sum().backward();
        }
        check_gradients(ours, plain);
    }
}

// Two captions of each picture, against a copy of it for each.
BOOST_AUTO_TEST_CASE(captions_of_a_picture_share_it) {
    constexpr std::int64_t each = 2;
    const DropoutMasks dropout(0.3, 13, 6);
    Inputs drawn;
    drawn.query = at::randn({each * captions, length, hidden});
    const Inputs ours = drawn.copy(), alone = drawn.copy();
    const at::Tensor factor = at::randn({each * captions, length, hidden});
    Inputs copied = alone;
    copied.pictures = alone.pictures.repeat_interleave(each, 0);
    const at::Tensor got = without_keys(ours, dropout), wanted = without_keys(copied, dropout);
    check_close(got.detach(), wanted.detach(), "context");
    (got * factor).sum().backward();
    (wanted * factor).sum().backward();
    check_gradients(ours, alone);
}

BOOST_AUTO_TEST_CASE(the_same_without_a_graph) {
    const Inputs drawn, in = drawn.copy();
    const DropoutMasks dropout(0.3, 12);
    const at::Tensor recorded = without_keys(in, dropout);
    const c10::NoGradGuard no_graph;
    BOOST_TEST(without_keys(in, dropout).equal(recorded));
}

BOOST_AUTO_TEST_CASE(pictures_that_want_no_gradient) {
    const Inputs drawn, ours = drawn.copy(), all = drawn.copy();
    ours.pictures.set_requires_grad(false);
    for (const Inputs* in : {&ours, &all}) without_keys(*in, DropoutMasks::none()).sum().backward();
    BOOST_TEST(!ours.pictures.grad().defined());
    BOOST_TEST(ours.query.grad().equal(all.query.grad()));
    BOOST_TEST(ours.weight.grad().equal(all.weight.grad()));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

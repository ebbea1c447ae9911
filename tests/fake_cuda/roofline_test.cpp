// The roofline's costs against numbers worked out by hand, and that what is recorded without computing is what is
// recorded with it. The network itself: build/tests/roofline --check.
#include "tests/fake_cuda/roofline_cost.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "blip/base/error.h"
#include "blip/device/device.h"
#include "blip/model/captioner.h"
#include "tests/fake_cuda/fake_cuda.h"
#include "tests/fake_cuda/roofline_batch.h"
#include "tests/tolerances.h"

namespace blip::roofline {
namespace {

using fake_cuda::Operand;
using fake_cuda::Operation;
using Sizes = std::vector<std::int64_t>;

Operand dense(const Sizes& sizes, at::ScalarType type = at::kBFloat16, bool written = false) {
    Sizes strides(sizes.size(), 1);
    for (std::size_t d = sizes.size(); d-- > 1;) strides[d - 1] = strides[d] * sizes[d];
    return {sizes, strides, type, written, nullptr};
}
Operand result(const Sizes& sizes, at::ScalarType type = at::kBFloat16) { return dense(sizes, type, true); }
Operation operation(const std::string& name, std::vector<Operand> operands) {
    return {name, false, 0, std::move(operands)};
}
long nanoseconds(const Cost& cost) { return std::lround(cost.seconds * 1e9); }

Recorded recorded(std::int64_t captions, std::vector<Operation> operations) {
    Recorded all{captions, {}};
    for (Operation& one : operations) all.steps.push_back({std::move(one), Part::text_forward});
    return all;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(roofline)

BOOST_AUTO_TEST_CASE(what_is_expanded_is_touched_once) {
    BOOST_TEST(bytes_of(dense({4, 5, 6}, at::kFloat)) == 480);
    BOOST_TEST(bytes_of({{4, 5, 6}, {0, 6, 1}, at::kFloat, false, nullptr}) == 120);
    BOOST_TEST(bytes_of({{0, 6}, {0, 0}, at::kFloat, false, nullptr}) == 0);
}

BOOST_AUTO_TEST_CASE(products) {
    // 10 x 10 tiles on 132 multiprocessors: 2 * 1280 * 1024 * 1280 / (620e12 * 100 / 132)
    const Cost one =
        cost_of(operation("aten::mm.out", {dense({1280, 1024}), dense({1024, 1280}), result({1280, 1280})}));
    BOOST_TEST(one.kernels == 1);
    BOOST_TEST(one.bytes == 8519680);
    BOOST_TEST(one.flops == 3355443200.0);
    BOOST_TEST(nanoseconds(one) == 7144);
    // A bias is no factor. 33 tiles are a quarter of the machine, were a long inner length not split.
    const auto with_bias = [](std::int64_t inner) {
        return cost_of(operation("aten::addmm.out",
                                 {dense({384}), dense({1408, inner}), dense({inner, 384}), result({1408, 384})}));
    };
    BOOST_TEST(with_bias(2048).flops == 2214592512.0);
    BOOST_TEST(nanoseconds(with_bias(2048)) == 14288);    // at 155e12
    BOOST_TEST(nanoseconds(with_bias(4096)) == 7938);     // at 558e12
    // Moves more than it computes: 2 * 1536 * 26 * 64 * 577 at 620e12 * 0.35 * 0.5 would be 27 us.
    const Cost batched =
        cost_of(operation("aten::bmm.out", {dense({1536, 26, 64}), dense({1536, 64, 577}), result({1536, 26, 577})}));
    BOOST_TEST(batched.flops == 2949513216.0);
    BOOST_TEST(batched.bytes == 164640768);
    BOOST_TEST(nanoseconds(batched) == 60978);
    // 3 x 5 tiles of 128 x 128 hold 312 x 584 numbers each: 2 * 128 * 312 * 7488 * 584 at 620e12 * 0.7414.
    const Cost larger = cost_of(
        operation("aten::bmm.out", {dense({128, 312, 7488}), dense({128, 7488, 584}), result({128, 312, 584})}));
    BOOST_TEST(nanoseconds(larger) == 759846);
}

BOOST_AUTO_TEST_CASE(attention) {
    const Operand x = dense({2, 12, 577, 64}), out = result({2, 12, 577, 64});
    const Cost forward = cost_of(operation("aten::_scaled_dot_product_flash_attention", {x, x, x, out}));
    BOOST_TEST(forward.kernels == 1);
    BOOST_TEST(forward.flops == 2045515776.0);    // 4 * 2 * 12 * 577 * 577 * 64
    BOOST_TEST(nanoseconds(forward) == 4546);
    const Cost backward =
        cost_of(operation("aten::_scaled_dot_product_cudnn_attention_backward", {x, x, x, x, x, out, out, out}));
    BOOST_TEST(backward.kernels == 3);
    BOOST_TEST(backward.flops == 5113789440.0);
    BOOST_TEST(backward.bytes == 14180352);
    BOOST_TEST(nanoseconds(backward) == 13457);
}

BOOST_AUTO_TEST_CASE(what_moves_data) {
    const Operand x = dense({10, 20});
    // Anything that is not known, and the program's own kernels.
    for (const char* name : {"aten::anything.out", "blip::anything"}) {
        const Cost cost = cost_of(operation(name, {x, x, result({10, 20}, at::kFloat)}));
        BOOST_TEST(cost.kernels == 1);
        BOOST_TEST(cost.bytes == 1600);
        BOOST_TEST(cost.flops == 0);
        BOOST_TEST(nanoseconds(cost) == 3000);
    }
    BOOST_TEST(nanoseconds(cost_of(operation("aten::gelu.out", {dense({27000, 1000}), result({27000, 1000})}))) ==
               40000);
    BOOST_TEST(cost_of(operation("aten::add_.Tensor", {result({10, 20}), x})).bytes == 1200);
    BOOST_TEST(cost_of(operation("aten::fill_.Scalar", {result({10, 20})})).bytes == 400);
    BOOST_TEST(
        cost_of(operation("aten::index_select", {dense({30000, 20}), dense({3}, at::kLong), result({3, 20})})).bytes ==
        264);
    const Operand rows = dense({10, 1}, at::kFloat), weight = dense({20});
    const Cost norm =
        cost_of(operation("aten::native_layer_norm_backward",
                          {x, x, rows, rows, weight, weight, result({10, 20}), result({20}), result({20})}));
    BOOST_TEST(norm.kernels == 3);
    BOOST_TEST(norm.bytes == 2240);
    BOOST_TEST(nanoseconds(norm) == 9000);
}

// What a run says of its share of the matrix peak counts with these; keys padded to multiples of 8 make the difference.
BOOST_AUTO_TEST_CASE(operations_counted_by_formula_are_those_recorded) {
    const Captioner base{ModelOptions()};
    for (const int captions_of_picture : {1, 5}) {
        double recorded = 0;
        for (const Step& step : BaseModel().record(10, captions_of_picture))
            if (step.part <= Part::head_forward) recorded += cost_of(step.operation).flops;
        const std::vector<int> tokens(static_cast<std::size_t>(captions_of_picture), 26);
        const double counted = 10.0 / captions_of_picture * base.forward_flops(tokens, 0) +
                               base.forward_flops({}, 119) - base.forward_flops({}, 0);
        BOOST_TEST_MESSAGE(recorded / counted);
        BOOST_TEST(std::abs(recorded / counted - 1) < test::tolerance::counted_operations);
    }
    // The vision encoder's are published: 55.4e9 multiply-adds of a ViT-B/16 at 384 pixels (Liu et al., "Swin
    // Transformer", 2021, table 1).
    const double vision = base.forward_flops({}, 0) / 2;
    BOOST_TEST(std::abs(vision / 55.4e9 - 1) < test::tolerance::counted_operations);
}

BOOST_AUTO_TEST_CASE(sizes_of_other_micro_batches) {
    const auto batch = [](std::int64_t captions) {
        return recorded(captions,
                        {operation("aten::gelu.out", {dense({captions * 577, 768}), result({captions * 577, 768})}),
                         operation("aten::index_select", {dense({captions * 119 / 10, 768}), dense({7})})});
    };
    const MicroBatch large = extrapolate(batch(10), batch(20), 128);
    BOOST_TEST(large.size() == 2U);
    BOOST_TEST(large[0].operation.operands[1].sizes == (Sizes{73856, 768}), boost::test_tools::per_element());
    BOOST_TEST(large[0].operation.operands[1].strides == (Sizes{768, 1}), boost::test_tools::per_element());
    BOOST_TEST(large[1].operation.operands[0].sizes == (Sizes{1523, 768}), boost::test_tools::per_element());
    BOOST_TEST(large[1].operation.operands[1].sizes == (Sizes{7}), boost::test_tools::per_element());
    BOOST_TEST(extrapolate(batch(10), batch(20), 32)[1].operation.operands[0].sizes[0] == 380);
    Recorded longer = batch(20), other = batch(20), of_fp32 = batch(20);
    longer.steps.push_back(longer.steps.back());
    other.steps[1].operation.name = "aten::index";
    of_fp32.steps[0].operation.operands[0].type = at::kFloat;
    for (const Recorded& differs : {longer, other, of_fp32})
        BOOST_CHECK_EXCEPTION(extrapolate(batch(10), differs, 128), Error, [](const Error& error) {
            return std::string(error.what()).find("depends on the micro-batch") != std::string::npos;
        });
}

BOOST_AUTO_TEST_CASE(what_is_not_computed_has_the_same_shapes) {
    const c10::Device gpu(c10::kCUDA, 0);
    std::vector<std::string> texts[2];
    for (const bool computed : {true, false}) {
        fake_cuda::begin_record(computed);
        const auto here = at::TensorOptions().device(gpu);
        const auto leaf = [&](at::IntArrayRef sizes) { return at::ones(sizes, here).set_requires_grad(true); };
        const at::Tensor table = leaf({9, 16}), gamma = leaf({16}), beta = leaf({16});
        const at::Tensor words = at::embedding(table, at::zeros({2, 3}, here.dtype(at::kLong)), 0);
        const at::Tensor x = at::layer_norm(words, {16}, gamma, beta).index_select(1, to_device({0, 2}, {2}, gpu));
        const at::Tensor heads = x.to(at::kBFloat16).view({2, 2, 2, 8}).transpose(1, 2);
        at::scaled_dot_product_attention(heads, heads, heads).sum().backward();
        for (const Operation& one : fake_cuda::end_record()) {
            std::string& text = texts[computed].emplace_back(describe(one));
            for (const Operand& operand : one.operands)
                for (const std::int64_t stride : operand.strides) text += " " + std::to_string(stride);
        }
    }
    BOOST_TEST(texts[0].size() >= 20);
    BOOST_TEST(texts[0] == texts[1], boost::test_tools::per_element());
    BOOST_TEST(fake_cuda::take_violations().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::roofline

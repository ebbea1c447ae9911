// Placement, buckets, shards and pieces of the arena at several world sizes; bf16 weights; initialisers.
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros_like.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <set>

#include "blip/base/error.h"
#include "blip/params/arena.h"

namespace blip::test {
namespace {

Layout odd_layout() {
    Layout layout;
    layout.declare("a", {7, 3}, Init::normal(0.02));
    layout.declare("b", {1}, Init::ones());
    layout.declare("c", {1000, 5}, Init::uniform(0.25));
    layout.declare("d", {33}, Init::zeros());
    layout.declare("e", {64, 64}, Init::truncated_normal(1.5));
    return layout;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(arena)

BOOST_AUTO_TEST_CASE(shards_cover_every_element_once) {
    const Layout layout = odd_layout();
    for (int world : {1, 2, 3, 4, 7}) {
        const Arena arena(layout, world, 4096, host_allocator());
        std::map<ParamId, std::vector<int>> seen;
        for (ParamId id = 0; id < layout.count(); ++id)
            seen[id].resize(static_cast<std::size_t>(layout.spec(id).element_count()));
        std::int64_t end = 0;
        for (std::size_t b = 0; b < arena.buckets().size(); ++b) {
            const Range range = arena.buckets()[b].range;
            BOOST_TEST(range.begin == end);
            BOOST_TEST(range.length() % (128 * world) == 0);
            end = range.end;
            for (int rank = 0; rank < world; ++rank)
                for (const ParamPiece& piece : arena.pieces(arena.shard(static_cast<int>(b), rank))) {
                    BOOST_TEST(piece.arena_offset == arena.offset(piece.param) + piece.elements.begin);
                    for (std::int64_t i = piece.elements.begin; i < piece.elements.end; ++i)
                        ++seen[piece.param][static_cast<std::size_t>(i)];
                }
        }
        BOOST_TEST(end == arena.length());
        for (const auto& [id, counts] : seen)
            BOOST_TEST(std::set<int>(counts.begin(), counts.end()) == std::set<int>{1}, "world " << world);
    }
}

// Of [7, 3], [2, 3] and [4, 3] elements, none a multiple of a cache line, with others between them.
Layout joined_layout() {
    Layout layout;
    const ParamId a = layout.declare("a", {7, 3}, Init::normal(0.02));
    layout.declare("b", {1}, Init::ones());
    const ParamId c = layout.declare("c", {2, 3}, Init::uniform(0.25));
    layout.declare("d", {33}, Init::zeros());
    const ParamId e = layout.declare("e", {4, 3}, Init::uniform(0.5));
    layout.join({e, a, c});
    return layout;
}

BOOST_AUTO_TEST_CASE(joined_parameters_lie_side_by_side_and_are_one_leaf) {
    const Layout layout = joined_layout();
    BOOST_TEST(layout.count() == 5);
    BOOST_TEST(layout.leaf_ids() == 6);
    BOOST_TEST(layout.shape(5) == (std::vector<std::int64_t>{13, 3}), boost::test_tools::per_element());
    // the join stands where the first of its members was declared
    BOOST_TEST(layout.placed_leaves() == (std::vector<ParamId>{3, 1, 5}), boost::test_tools::per_element());
    for (const at::ScalarType precision : {at::kFloat, at::kBFloat16}) {
        Arena arena(layout, 2, 16, host_allocator(), true, {at::kCPU, precision});
        BOOST_TEST(arena.offset(0) == arena.offset(4) + 12);
        BOOST_TEST(arena.offset(2) == arena.offset(0) + 21);
        BOOST_TEST(arena.buckets().size() == 3U);
        BOOST_TEST(arena.buckets().back().params == (std::vector<ParamId>{4, 0, 2}), boost::test_tools::per_element());
        Arena plain(odd_layout(), 1, 4096, host_allocator());
        initialise(arena, 5);
        initialise(plain, 5);
        BOOST_TEST(arena.weights()[0].equal(plain.weights()[0].detach().to(precision)));
        const at::Tensor& join = arena.weights()[5];
        const std::vector<ParamId> members = {4, 0, 2};
        const std::vector<std::int64_t> first_row = {0, 4, 11};
        join.mul(join).sum().backward();
        for (std::size_t i = 0; i < members.size(); ++i) {
            const at::Tensor& member = arena.weights()[static_cast<std::size_t>(members[i])];
            BOOST_TEST(!member.requires_grad());
            BOOST_TEST(member.equal(join.detach().narrow(0, first_row[i], member.size(0))));
            BOOST_TEST(member.data_ptr() == arena.weight_address(arena.offset(members[i])));
            BOOST_TEST(member.grad().equal(member.to(at::kFloat).mul(2)));
        }
        BOOST_TEST(arena.flat_gradients().sum().item<double>() == join.grad().sum().item<double>(),
                   boost::test_tools::tolerance(1e-6));
    }
}

BOOST_AUTO_TEST_CASE(frozen_parameters_lie_behind_the_others_and_have_no_gradient) {
    Layout layout = joined_layout();    // join of a, c, e; b and d by themselves
    layout.freeze("d");
    BOOST_TEST(layout.frozen_element_count() == 33);
    BOOST_TEST(layout.placed_leaves() == (std::vector<ParamId>{1, 5, 3}), boost::test_tools::per_element());
    for (const std::int64_t bucket_bytes : {16, 1 << 20}) {
        for (const int world : {1, 3}) {
            const Arena arena(layout, world, bucket_bytes, host_allocator());
            BOOST_TEST(arena.trained_buckets() + 1 == arena.buckets().size());
            BOOST_TEST(arena.buckets().back().params == std::vector<ParamId>{3}, boost::test_tools::per_element());
            BOOST_TEST(arena.trained_length() == arena.buckets().back().range.begin);
            BOOST_TEST(arena.flat_gradients().numel() == arena.trained_length());
            BOOST_TEST(arena.flat_weights().numel() == arena.length());
            for (const ParamId id : {1, 3, 5}) {
                const at::Tensor& weight = arena.weights()[static_cast<std::size_t>(id)];
                BOOST_TEST(weight.requires_grad() == (id != 3));
                BOOST_TEST(weight.grad().defined() == (id != 3));
            }
        }
    }
    layout = joined_layout();
    BOOST_CHECK_THROW(layout.freeze("a"), Error);    // a part of a join
    layout = joined_layout();
    layout.freeze("");    // everything
    const Arena nothing_trained(layout, 2, 16, host_allocator());
    BOOST_TEST(nothing_trained.trained_length() == 0);
    BOOST_TEST(nothing_trained.trained_buckets() == 0U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_joined_is_refused) {
    Layout layout = joined_layout();
    BOOST_CHECK_THROW(layout.join({1, 4}), Error);    // 4 is in a join
    BOOST_CHECK_THROW(layout.declare("f", {1}, Init::zeros()), Error);
    Layout other = odd_layout();
    BOOST_CHECK_THROW(other.join({0, 2}), Error);    // rows of 3 and of 5
    BOOST_CHECK_THROW(other.join({1, 4}), Error);
}

BOOST_AUTO_TEST_CASE(views_are_the_flat_buffers) {
    Arena arena(odd_layout(), 2, 4096, host_allocator());
    arena.flat_weights().fill_(3);
    for (const at::Tensor& weight : arena.weights()) {
        BOOST_TEST(weight.is_leaf());
        BOOST_TEST(weight.requires_grad());
        BOOST_TEST(weight.detach().eq(3).all().item<bool>());
    }
    const void* gradient = arena.weights()[4].grad().data_ptr();
    arena.weights()[4].sum().mul(2).backward();
    BOOST_TEST(arena.weights()[4].grad().data_ptr() == gradient);
    BOOST_TEST(arena.flat_gradients().sum().item<double>() == 2 * 64 * 64);
    arena.zero_gradients();
    BOOST_TEST(arena.weights()[4].grad().sum().item<double>() == 0);
}

const ArenaPlacement kBf16{at::kCPU, at::kBFloat16};

BOOST_AUTO_TEST_CASE(bf16_weights_round_what_is_written_and_start_as_fp32_ones_do) {
    Arena arena(odd_layout(), 3, 4096, host_allocator(), true, kBf16);
    BOOST_TEST((arena.flat_weights().scalar_type() == at::kBFloat16));
    BOOST_TEST((arena.flat_gradients().scalar_type() == at::kFloat));
    BOOST_TEST(arena.weight_element_bytes() == 2);
    BOOST_CHECK_THROW(arena.weight_data(), Error);
    for (ParamId id = 0; id < arena.layout().count(); ++id) {
        BOOST_TEST(arena.weights()[static_cast<std::size_t>(id)].data_ptr() == arena.weight_address(arena.offset(id)));
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(arena.weight_address(arena.offset(id))) % 64 == 0);
    }
    // 1 + 2^-8 is halfway between two bf16 numbers: ties go to the even one; a little more goes up
    const std::vector<float> values = {1, 1 + 0x1p-8F, 1 + 0x3p-8F, 1 + 0x1p-8F + 0x1p-20F, -3e38F};
    arena.write_weights(arena.offset(0) + 2, values);
    const at::Tensor written = arena.weights()[0].detach().to(at::kFloat).flatten();
    const std::vector<float> rounded = {
        0, 0, 1, 1, 1 + 0x1p-6F, 1 + 0x1p-7F, at::full({1}, -3e38F).to(at::kBFloat16).item<float>(), 0};
    for (std::size_t i = 0; i < rounded.size(); ++i)
        BOOST_TEST(written[static_cast<std::int64_t>(i)].item<float>() == rounded[i], "element " << i);

    Arena exact(odd_layout(), 1, 1 << 20, host_allocator());
    const Arena alone = weights_only_arena(odd_layout(), kBf16);
    initialise(exact, 5);
    initialise(arena, 5);
    for (std::size_t i = 0; i < exact.weights().size(); ++i) {
        BOOST_TEST(arena.weights()[i].detach().equal(exact.weights()[i].detach().to(at::kBFloat16)));
        BOOST_TEST(alone.weights()[i].sizes() == arena.weights()[i].sizes());
        BOOST_TEST((alone.weights()[i].scalar_type() == at::kBFloat16 && !alone.weights()[i].requires_grad()));
    }
}

// 64 micro-batches: each gives a bf16 gradient, their sum is that of fp32 additions. (A sum kept in bf16 stops growing
// once a term is below half of its last place.)
BOOST_AUTO_TEST_CASE(gradients_of_bf16_weights_add_up_in_fp32) {
    Arena arena(odd_layout(), 1, 4096, host_allocator(), true, kBf16);
    initialise(arena, 3);
    const at::Tensor& weight = arena.weights()[4];    // [64, 64]
    const void* place = weight.grad().data_ptr();
    const at::Tensor leaf = weight.detach().clone().set_requires_grad(true);
    at::Tensor in_fp32 = at::zeros_like(leaf, at::kFloat), in_bf16 = at::zeros_like(leaf);
    for (int pass = 0; pass < 64; ++pass) {
        const at::Tensor x = arena.weights()[2].detach().narrow(0, 10 * pass, 16).reshape(-1).narrow(0, 0, 64).mul(3);
        at::matmul(weight, x).sum().backward();
        at::matmul(leaf, x).sum().backward();
        in_fp32 += leaf.grad().to(at::kFloat);
        in_bf16 += leaf.grad();
        leaf.mutable_grad() = at::Tensor();
    }
    BOOST_TEST((weight.grad().scalar_type() == at::kFloat));
    BOOST_TEST(weight.grad().data_ptr() == place);
    BOOST_TEST(weight.grad().equal(in_fp32));
    BOOST_TEST(!in_bf16.to(at::kFloat).equal(in_fp32));
}

BOOST_AUTO_TEST_CASE(initial_weights_do_not_depend_on_the_world) {
    Arena one(odd_layout(), 1, 1 << 20, host_allocator()), three(odd_layout(), 3, 4096, host_allocator());
    initialise(one, 5);
    initialise(three, 5);
    for (std::size_t i = 0; i < one.weights().size(); ++i)
        BOOST_TEST(one.weights()[i].detach().equal(three.weights()[i].detach()));
    Arena other(odd_layout(), 1, 1 << 20, host_allocator());
    initialise(other, 6);
    BOOST_TEST(!one.weights()[0].detach().equal(other.weights()[0].detach()));
}

BOOST_AUTO_TEST_CASE(initial_weights_have_the_declared_distribution) {
    Arena arena(odd_layout(), 1, 1 << 20, host_allocator());
    initialise(arena, 1);
    const auto stat = [&](std::size_t i) { return arena.weights()[i].detach(); };
    BOOST_TEST(stat(1).eq(1).all().item<bool>());
    BOOST_TEST(stat(3).eq(0).all().item<bool>());
    BOOST_TEST(stat(2).abs().max().item<double>() <= 0.25);
    BOOST_TEST(stat(2).std().item<double>() == 0.25 / std::sqrt(3.0), boost::test_tools::tolerance(0.03));
    // A normal of deviation 1.5 cut at +-2 has deviation 1.5 * 0.6820 (closed form).
    BOOST_TEST(stat(4).abs().max().item<double>() <= 2.0);
    BOOST_TEST(stat(4).std().item<double>() == 1.5 * 0.6820, boost::test_tools::tolerance(0.03));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

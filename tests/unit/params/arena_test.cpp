// Placement, buckets, shards and pieces of the arena at several world sizes; initialisers.
#include <ATen/TensorOperators.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <set>

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

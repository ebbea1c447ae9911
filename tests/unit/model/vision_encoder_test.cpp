// Stochastic depth in the vision encoder. (Its numbers are tested against the reference in tests/golden.)
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>

#include "blip/model/captioner.h"
#include "blip/params/arena.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(vision_encoder)

BOOST_AUTO_TEST_CASE(branches_left_out_leave_the_picture_alone) {
    ModelOptions shape;
    shape.text_hidden = shape.text_intermediate = shape.vision_width = 12;
    shape.text_heads = shape.vision_heads = 2;
    shape.text_layers = 1;
    shape.vision_depth = 2;
    shape.image_size = 32;
    const Captioner captioner(shape);
    shape.vision_depth = 0;
    const Captioner without_blocks(shape);
    Arena arena(captioner.layout(), 1, 1 << 20, host_allocator(), false);
    Arena bare(without_blocks.layout(), 1, 1 << 20, host_allocator(), false);
    initialise(arena, 5);
    initialise(bare, 5);    // by name: what both have is equal
    const c10::AutoGradMode no_gradients(false);
    const at::Tensor images = at::randint(0, 256, {2, 3, 32, 32}, at::kByte);
    const at::Tensor whole = captioner.vision().forward(arena.weights(), images);
    // picture 0 loses all branches, picture 1 none
    const at::Tensor scales = at::tensor({0.0F, 1.0F}).repeat({4, 1});
    const at::Tensor got = captioner.vision().forward(arena.weights(), images, scales);
    BOOST_TEST(got[1].equal(whole[1]));
    BOOST_TEST(got[0].equal(without_blocks.vision().forward(bare.weights(), images)[0]));
    BOOST_TEST(!got[0].equal(whole[0]));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

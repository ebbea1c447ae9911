// Stochastic depth: probabilities over blocks, scale of what is kept, independence of everything but the key.
#include <ATen/TensorOperators.h>

#include <boost/test/unit_test.hpp>

#include "blip/base/random.h"
#include "blip/kernels/drop_path.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(drop_path)

BOOST_AUTO_TEST_CASE(rises_linearly_and_keeps_the_mean) {
    constexpr int depth = 5;
    constexpr std::int64_t pictures = 20000;
    const at::Tensor scales = drop_path_scales(depth, pictures, 0.4, 7, 0, at::kCPU);
    BOOST_TEST(scales.size(0) == 2 * depth);
    for (int branch = 0; branch < 2 * depth; ++branch) {
        const double p = 0.1 * (branch / 2);
        const at::Tensor row = scales[branch];
        const double left_out = 1 - row.count_nonzero().item<double>() / pictures;
        // five standard deviations of a binomial share
        BOOST_TEST(std::abs(left_out - p) <= 5 * std::sqrt(p * (1 - p) / pictures));
        BOOST_TEST(row.max().item<float>() == static_cast<float>(1 / (1 - p)));
    }
}

BOOST_AUTO_TEST_CASE(depends_on_the_key_alone) {
    const auto key = [](std::uint64_t step) { return random_key(1, RandomPurpose::drop_path, {step}); };
    const at::Tensor once = drop_path_scales(12, 32, 0.5, key(1), 0, at::kCPU);
    BOOST_TEST(once.equal(drop_path_scales(12, 32, 0.5, key(1), 0, at::kCPU)));
    BOOST_TEST(!once.equal(drop_path_scales(12, 32, 0.5, key(2), 0, at::kCPU)));
    BOOST_TEST(!drop_path_scales(12, 32, 0, key(1), 0, at::kCPU).defined());
    // in another micro-batch
    BOOST_TEST(drop_path_scales(12, 9, 0.5, key(1), 20, at::kCPU).equal(once.narrow(1, 20, 9)));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

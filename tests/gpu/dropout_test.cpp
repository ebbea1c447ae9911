// Keyed dropout on a GPU against its CPU twin: the same bits, forward and backward.
#include "blip/kernels/dropout.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linspace.h>

#include <boost/test/unit_test.hpp>

#include "tests/gpu/gpu.h"

namespace blip::test {
namespace {

BOOST_AUTO_TEST_SUITE(dropout_gpu)

BOOST_AUTO_TEST_CASE(equals_the_cpu_twin) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        for (const std::int64_t count : {1, 3, 4, 7, 8191, 5000011}) {
            const at::Tensor x = at::linspace(-3, 3, count, at::kFloat).to(type);
            DropoutMasks on_cpu(0.1, 0xfedcba9876543210), on_gpu(0.1, 0xfedcba9876543210);
            for (int site = 0; site < 3; ++site) {
                const at::Tensor of_cpu = x.clone().set_requires_grad(true);
                const at::Tensor of_gpu = x.to(gpu).set_requires_grad(true);
                const at::Tensor expected = on_cpu.apply(of_cpu), result = on_gpu.apply(of_gpu);
                BOOST_TEST(result.is_cuda());
                BOOST_TEST(result.detach().cpu().equal(expected.detach()), "count " << count << " site " << site);
                expected.mul(2).sum().backward();
                result.mul(2).sum().backward();
                BOOST_TEST(of_gpu.grad().cpu().equal(of_cpu.grad()));
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

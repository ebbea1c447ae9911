// Which attention kernel LibTorch takes on this GPU is the first that was asked for.
#include <ATen/SDPBackend.h>
#include <ATen/ops/_fused_sdp_choice.h>
#include <ATen/ops/zeros.h>

#include <boost/test/unit_test.hpp>

#include "blip/base/gpu_presence.h"
#include "blip/device/device.h"
#include "tests/gpu/gpu.h"

namespace blip::test {
namespace {

// Of the vision encoder's shape: [pictures, heads, tokens, width of a head].
std::string chosen(at::ScalarType type) {
    const at::Tensor values =
        at::zeros({2, 12, 577, 64}, at::TensorOptions().dtype(type).device(gpu)).set_requires_grad(true);
    switch (static_cast<at::SDPBackend>(at::_fused_sdp_choice(values, values, values))) {
        case at::SDPBackend::cudnn_attention:
            return "cuDNN";
        case at::SDPBackend::flash_attention:
            return "Flash";
        case at::SDPBackend::efficient_attention:
            return "efficient";
        case at::SDPBackend::math:
            return "plain";
        default:
            return "none";
    }
}

BOOST_AUTO_TEST_SUITE(attention_gpu)

BOOST_AUTO_TEST_CASE(the_first_kernel_that_was_asked_for_is_taken) {
    use_device(gpu);
    const bool cudnn = cudnn_attention_is_best(gpu_generation(0));
    for (const bool deterministic : {false, true}) {
        set_numerics({.deterministic = deterministic, .cudnn_attention = cudnn});
        for (const at::ScalarType type : {at::kBFloat16, at::kFloat}) {
            const std::string asked = attention_order(type);
            BOOST_TEST(chosen(type) == asked.substr(0, asked.find(',')), "asked for " << asked);
        }
    }
    set_numerics({});
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

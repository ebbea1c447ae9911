// What set_numerics asks of LibTorch, read back from LibTorch: on a GPU a wrong word there is an error in the first
// backward pass, or bits that do not repeat.
#include <ATen/Context.h>

#include <boost/test/unit_test.hpp>
#include <set>

#include "blip/device/device.h"

namespace blip::test {
namespace {

struct KeptSettings {
    ~KeptSettings() { set_numerics({}); }
};

BOOST_AUTO_TEST_SUITE(numerics)

// cuBLAS refuses every product of bf16 for which split-K is forbidden.
BOOST_FIXTURE_TEST_CASE(products_of_bf16_add_in_fp32_and_may_be_split, KeptSettings) {
    for (const bool deterministic : {false, true}) {
        at::globalContext().setAllowBF16ReductionCuBLAS(false, false);
        set_numerics({.deterministic = deterministic});
        BOOST_TEST((at::globalContext().allowBF16ReductionCuBLAS() ==
                    at::CuBLASReductionOption::DisallowReducedPrecisionAllowSplitK));
    }
}

// Read in the ways of the old interface and of the new one: LibTorch throws where they differ.
BOOST_FIXTURE_TEST_CASE(tf32_is_on_where_it_is_allowed, KeptSettings) {
    const at::Context& context = at::globalContext();
    for (const bool allowed : {true, false}) {
        set_numerics({.allow_tf32 = allowed});
        BOOST_TEST(context.allowTF32CuBLAS() == allowed);
        BOOST_TEST(context.allowTF32CuDNN() == allowed);
        BOOST_TEST((context.float32MatmulPrecision() == at::Float32MatmulPrecision::HIGHEST) == !allowed);
    }
}

BOOST_FIXTURE_TEST_CASE(attention_tries_the_fastest_first, KeptSettings) {
    set_numerics({});
    BOOST_TEST(attention_order(at::kBFloat16) == "Flash, efficient, plain");
    BOOST_TEST(attention_order(at::kFloat) == "efficient, plain");
    set_numerics({.cudnn_attention = true});
    BOOST_TEST(attention_order(at::kBFloat16) == "cuDNN, Flash, efficient, plain");
    BOOST_TEST(attention_order(at::kFloat) == "efficient, plain");
    for (const bool cudnn : {false, true}) {
        set_numerics({.deterministic = true, .cudnn_attention = cudnn});
        BOOST_TEST(attention_order(at::kBFloat16) == "Flash, plain");
        BOOST_TEST(attention_order(at::kFloat) == "plain");
        BOOST_TEST(at::globalContext().deterministicAlgorithms());
        BOOST_TEST(!at::globalContext().deterministicAlgorithmsWarnOnly());
    }
    // and all of it comes back
    set_numerics({});
    BOOST_TEST(attention_order(at::kBFloat16) == "Flash, efficient, plain");
    BOOST_TEST(!at::globalContext().deterministicAlgorithms());
}

// LibTorch's list has a place for each; what is left out of one that is set keeps its old place, and may stand twice.
BOOST_FIXTURE_TEST_CASE(the_order_names_every_kernel_once, KeptSettings) {
    for (const bool cudnn : {false, true}) {
        set_numerics({.cudnn_attention = cudnn});
        const auto order = at::globalContext().sDPPriorityOrder();
        BOOST_TEST(std::set<at::SDPBackend>(order.begin(), order.end()).size() == order.size());
        // LibTorch throws as soon as it comes to this one
        BOOST_TEST((order.back() == at::SDPBackend::overrideable));
    }
}

BOOST_AUTO_TEST_CASE(cudnn_is_not_asked_for_where_there_is_none) {
    BOOST_TEST(!cudnn_attention_is_best(0));
    if (!at::Context::hasCuDNN()) BOOST_TEST(!cudnn_attention_is_best(9));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

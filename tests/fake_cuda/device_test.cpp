// The pretended device sees what it is there to see: each fault, planted, is caught, and the same without the fault is
// not. What the program does on the device is run by tests/fake_cuda/run.sh.
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/cuda/CUDAFunctions.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>

#include "blip/base/phase.h"
#include "blip/device/device.h"
#include "tests/fake_cuda/fake_cuda.h"
#include "tests/fake_cuda/record.h"

namespace blip::test {
namespace {

using fake_cuda::take_violations;

const c10::Device gpu(c10::kCUDA, 0), other_gpu(c10::kCUDA, 1);

at::TensorOptions on(c10::Device device, at::ScalarType type = at::kFloat) {
    return at::TensorOptions().dtype(type).device(device);
}

// How often the pretended device found fault, each time with these words.
std::ptrdiff_t found(const std::string& words) {
    const std::vector<std::string> all = take_violations();
    return std::count_if(all.begin(), all.end(),
                         [&](const std::string& text) { return text.find(words) != std::string::npos; });
}

auto says(const std::string& words) {
    return [words](const std::exception& error) { return std::string(error.what()).find(words) != std::string::npos; };
}

struct OtherStream {
    c10::impl::VirtualGuardImpl guard{c10::kCUDA};
    c10::Stream stream = guard.getStreamFromGlobalPool(gpu);
};

struct NumericsAgain {
    ~NumericsAgain() { set_numerics({}); }
};

}    // namespace

BOOST_AUTO_TEST_SUITE(pretended_device)

BOOST_AUTO_TEST_CASE(a_host_that_reads_device_memory_dies) {
    const at::Tensor there = at::ones({4}, on(gpu));
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGSEGV, SIG_DFL);
        static_cast<void>(*static_cast<const volatile float*>(there.const_data_ptr()));
        _exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST(WIFSIGNALED(status));
    BOOST_TEST(there.cpu().equal(at::ones({4})));
}

BOOST_AUTO_TEST_CASE(tensors_of_two_devices_are_refused) {
    const at::Tensor here = at::ones({4}), there = at::ones({4}, on(gpu));
    const at::Tensor elsewhere = at::ones({4}, on(other_gpu));
    BOOST_CHECK_THROW(there + here, c10::Error);
    BOOST_CHECK_THROW(there + elsewhere, c10::Error);
    BOOST_CHECK_THROW(there.index_select(0, at::zeros({1}, at::kLong)), c10::Error);
    BOOST_TEST((there + at::ones({})).cpu().equal(here + 1));    // a number is an argument of the kernel
    BOOST_TEST((elsewhere + elsewhere).device() == other_gpu);
    take_violations();
}

BOOST_AUTO_TEST_CASE(copies_to_page_locked_memory_arrive_with_their_event) {
    const at::Tensor there = at::ones({4}, on(gpu)), host = staging_tensor({4}, at::kFloat, gpu);
    host.copy_(there, true);
    DevicePoint behind(gpu);
    behind.record();
    const auto* values = static_cast<const float*>(host.const_data_ptr());
    BOOST_TEST(std::isnan(values[0]));
    BOOST_TEST(!behind.reached());
    while (!behind.reached()) continue;
    BOOST_TEST(values[3] == 1);
    BOOST_TEST(take_violations().empty());
}

BOOST_AUTO_TEST_CASE(page_locked_memory_is_not_to_be_changed_while_it_is_copied) {
    for (const bool waits : {true, false}) {
        const at::Tensor host = staging_tensor({4}, at::kFloat, gpu);
        host.fill_(1);
        const at::Tensor there = to_device(host, gpu);
        DevicePoint behind(gpu);
        behind.record();
        while (waits && !behind.reached()) continue;
        host.fill_(2);
        while (!behind.reached()) continue;
        BOOST_TEST(found("while the device may still have been copying") == (waits ? 0 : 1));
    }
}

BOOST_AUTO_TEST_CASE(an_event_that_is_not_waited_for_is_seen) {
    for (const bool waits : {true, false}) {
        OtherStream other;
        c10::Event filled(c10::kCUDA);
        at::Tensor x;
        {
            const c10::StreamGuard guard(other.stream);
            x = at::ones({4}, on(gpu));
            filled.record(other.stream);
        }
        const c10::Stream own = other.guard.getStream(gpu);
        if (waits) filled.block(own);
        const at::Tensor y = x + 1;
        BOOST_TEST((found("without an order between them") > 0) == !waits);
        x.record_stream(own);
    }
}

BOOST_AUTO_TEST_CASE(memory_given_back_without_record_stream_is_seen) {
    for (const bool recorded : {true, false}) {
        OtherStream other;
        c10::Event filled(c10::kCUDA);
        const c10::Stream own = other.guard.getStream(gpu);
        {
            at::Tensor x;
            {
                const c10::StreamGuard guard(other.stream);
                x = at::ones({4}, on(gpu));
                filled.record(other.stream);
            }
            filled.block(own);
            const at::Tensor y = x + 1;
            if (recorded) x.record_stream(own);
        }
        BOOST_TEST(found("no record_stream") == (recorded ? 0 : 1));
    }
}

BOOST_AUTO_TEST_CASE(events_of_a_gpu_that_is_not_the_threads_are_seen) {
    for (const bool chosen : {true, false}) {
        DevicePoint point(other_gpu);
        use_device(other_gpu);
        point.record();
        use_device(gpu);
        std::thread([&, taken = std::optional<DevicePoint>(std::move(point))]() mutable {
            if (chosen) use_device(other_gpu);
            taken.reset();
        }).join();
        BOOST_TEST(found("a context on each") == (chosen ? 0 : 1));
    }
}

BOOST_AUTO_TEST_CASE(waits_of_the_host_are_seen) {
    const at::Tensor there = at::ones({4}, on(gpu)), here = at::ones({4});
    c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
    BOOST_CHECK_THROW(there[0].item<float>(), c10::Error);
    BOOST_CHECK_THROW(here.to(gpu, at::kFloat, /*non_blocking=*/true), c10::Error);    // pageable memory
    BOOST_CHECK_THROW(there.cpu(), c10::Error);
    c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
    there.cpu();
    BOOST_TEST(take_violations().empty());
    const PhaseScope step(Phase::backward);
    there.cpu();
    BOOST_TEST(found("within a training step (backward)") == 1);
}

// set_numerics once forbade it, and every backward pass in bf16 would have ended there.
BOOST_AUTO_TEST_CASE(products_of_bf16_need_split_k) {
    const NumericsAgain again;
    const at::Tensor x = at::ones({8, 8}, on(gpu, at::kBFloat16)), bias = at::ones({8}, on(gpu, at::kBFloat16));
    at::globalContext().setAllowBF16ReductionCuBLAS(false, false);
    BOOST_CHECK_EXCEPTION(at::mm(x, x), c10::Error, says("requires the cuBLASLt backend"));
    BOOST_CHECK_EXCEPTION(at::addmm(x, x, x), c10::Error, says("requires the cuBLASLt backend"));
    BOOST_CHECK_NO_THROW(at::addmm(bias, x, x));
    BOOST_CHECK_NO_THROW(at::bmm(x.unsqueeze(0), x.unsqueeze(0)));
    BOOST_CHECK_NO_THROW(at::mm(x.to(at::kFloat), x.to(at::kFloat)));
    set_numerics({});
    BOOST_CHECK_NO_THROW(at::mm(x, x));
}

BOOST_AUTO_TEST_CASE(products_of_bf16_may_have_results_in_fp32) {
    const at::Tensor x = at::ones({8, 8}, on(gpu, at::kBFloat16)), sum = at::ones({8, 8}, on(gpu));
    at::Tensor out = sum.clone();
    BOOST_TEST(at::mm(x, x, at::kFloat).cpu().equal(at::ones({8, 8}) * 8));
    BOOST_TEST(&at::addmm_out(out, out, x, x, at::kFloat) == &out);
    BOOST_TEST(out.cpu().equal(at::ones({8, 8}) * 9));
    BOOST_CHECK_THROW(at::mm(sum, sum, at::kBFloat16), c10::Error);
    BOOST_CHECK_THROW(at::addmm(sum.to(at::kDouble), x, x, at::kFloat), c10::Error);
}

BOOST_AUTO_TEST_CASE(deterministic_products_need_cublas_workspaces) {
    const NumericsAgain again;
    const at::Tensor x = at::ones({8, 8}, on(gpu));
    set_numerics({.deterministic = true});
    ::unsetenv("CUBLAS_WORKSPACE_CONFIG");
    BOOST_CHECK_THROW(at::mm(x, x), c10::Error);
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 1);
    BOOST_CHECK_NO_THROW(at::mm(x, x));
}

BOOST_AUTO_TEST_CASE(operators_of_one_type_refuse_others) {
    const at::Tensor x = at::ones({8, 8}, on(gpu)), half = x.to(at::kBFloat16), scalar = at::zeros({}, on(gpu));
    BOOST_CHECK_THROW(at::mm(x, half), c10::Error);
    const auto update = [&](const at::Tensor& weight, const at::Tensor& found_inf) {
        at::_fused_adamw_({weight}, {x}, {x.clone()}, {x.clone()}, {}, {scalar.clone()}, scalar, 0.9, 0.999, 0.0, 1e-8,
                          false, false, {}, found_inf);
    };
    BOOST_CHECK_NO_THROW(update(x.clone(), scalar));
    BOOST_CHECK_THROW(update(half, scalar), c10::Error);
    BOOST_CHECK_THROW(update(x.clone(), at::zeros({})), c10::Error);
}

BOOST_AUTO_TEST_CASE(attention_is_chosen_as_on_a_gpu) {
    const NumericsAgain again;
    const auto kernel = [](at::ScalarType type) {
        const at::Tensor q = at::ones({1, 2, 5, 16}, on(gpu, type));
        fake_cuda::begin_record(true);
        at::scaled_dot_product_attention(q, q, q);
        for (const fake_cuda::Operation& operation : fake_cuda::end_record())
            if (operation.name.find("scaled_dot_product") != std::string::npos)
                return operation.name.substr(std::string("aten::_scaled_dot_product_").size());
        return std::string("math");
    };
    set_numerics({.cudnn_attention = true});
    BOOST_TEST(kernel(at::kBFloat16) == "cudnn_attention");
    set_numerics({});
    BOOST_TEST(kernel(at::kBFloat16) == "flash_attention");
    BOOST_TEST(kernel(at::kFloat) == "efficient_attention");
    set_numerics({.deterministic = true});
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 1);
    BOOST_TEST(kernel(at::kBFloat16) == "flash_attention");
    BOOST_TEST(kernel(at::kFloat) == "math");
}

BOOST_AUTO_TEST_CASE(shapes_are_recorded_without_computing) {
    const at::Tensor x = at::ones({3, 4}, on(gpu)).set_requires_grad(true), w = at::ones({4, 5}, on(gpu));
    fake_cuda::begin_record(false);
    const at::Tensor y = at::mm(x, w);
    y.backward(at::ones({3, 5}, on(gpu)));
    const std::vector<fake_cuda::Operation> operations = fake_cuda::end_record();
    std::vector<fake_cuda::Operation> products;
    for (const auto& operation : operations)
        if (operation.name == "aten::mm.out") products.push_back(operation);
    BOOST_REQUIRE(products.size() == 2U);
    BOOST_TEST(!products[0].backward);
    BOOST_TEST(products[1].backward);
    BOOST_TEST(products[1].operands[2].sizes == (std::vector<std::int64_t>{3, 4}), boost::test_tools::per_element());
    BOOST_TEST(products[1].operands[2].written);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// Streams, events and error reports of the CUDA runtime as base/cuda.h wraps them.
#include "blip/base/cuda.h"
#include "blip/base/error.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace blip::test {
namespace {

BOOST_AUTO_TEST_SUITE(cuda)

BOOST_AUTO_TEST_CASE(streams_wait_for_events) {
    constexpr std::size_t bytes = 64 << 20;
    void* device = nullptr;
    cuda_check(cudaMalloc(&device, bytes), "allocate");
    const CudaStream first = make_side_stream(false), second = make_side_stream(true);
    const CudaEvent filled = make_order_event();
    cuda_check(cudaMemsetAsync(device, 0x5a, bytes, first.get()), "fill");
    cuda_check(cudaEventRecord(filled.get(), first.get()), "record");
    cuda_check(cudaStreamWaitEvent(second.get(), filled.get(), 0), "wait");
    std::vector<unsigned char> host(bytes);
    cuda_check(cudaMemcpyAsync(host.data(), device, bytes, cudaMemcpyDeviceToHost, second.get()), "copy");
    cuda_check(cudaStreamSynchronize(second.get()), "synchronise");
    BOOST_TEST(std::count(host.begin(), host.end(), 0x5a) == static_cast<std::ptrdiff_t>(bytes));
    cuda_check(cudaFree(device), "free");
}

BOOST_AUTO_TEST_CASE(errors_say_what_was_tried) {
    BOOST_CHECK_EXCEPTION(cuda_check(cudaSetDevice(1 << 20), "choose a device"), Error, [](const Error& error) {
        const std::string text = error.what();
        return error.code() == ExitCode::internal && text.find("choose a device") != std::string::npos &&
               text.find("cudaErrorInvalidDevice") != std::string::npos;
    });
    BOOST_TEST(cudaGetLastError() == cudaSuccess);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

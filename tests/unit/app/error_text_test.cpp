// What is told when something else than our own Error ends the program: LibTorch's words in its own form (2.11).
#include "src/app/standalone.h"

#include <boost/test/unit_test.hpp>
#include <new>
#include <stdexcept>

namespace blip {
namespace {

std::pair<std::string, ExitCode> described(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (...) {
        return describe_current_exception();
    }
}
std::string text_of(const std::string& library_text) {
    const auto [text, code] = described(std::make_exception_ptr(std::runtime_error(library_text)));
    BOOST_TEST((code == ExitCode::internal));
    return text;
}

BOOST_AUTO_TEST_SUITE(error_text)

BOOST_AUTO_TEST_CASE(gpu_memory_has_a_remedy_and_the_device) {
    const std::string text = text_of(
        "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 3 has a total capacity of 79.10 GiB of which 1.06 GiB is "
        "free. Including non-PyTorch memory, this process has 77.98 GiB memory in use. Of the allocated memory 70 GiB "
        "is allocated by PyTorch.\nException raised from malloc at CUDACachingAllocator.cpp:1\nframe #0: ...");
    BOOST_TEST(text.find("--micro-batch") != std::string::npos);
    BOOST_TEST(text.find("GPU 3") != std::string::npos);
    BOOST_TEST(text.ends_with("1.06 GiB is free."));
    for (const char* full : {"CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`\nframe",
                             "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`\nframe",
                             "CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation' in"}) {
        BOOST_TEST(text_of(full).starts_with("out of GPU memory: use a smaller --micro-batch"));
        BOOST_TEST(text_of(full).find("nvidia-smi") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(other_errors_of_a_gpu_say_where_to_look) {
    const std::string text = text_of("CUDA error: uncorrectable ECC error encountered\nCUDA kernel errors might be");
    BOOST_TEST(text.starts_with("CUDA error: uncorrectable ECC error encountered; nvidia-smi shows"));
    BOOST_TEST(text.find("CUDA_LAUNCH_BLOCKING=1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_does_without_cudnn_is_told) {
    const std::string text = text_of("cuDNN Frontend error: [cudnn_frontend] Error: No valid execution plans built.\n");
    BOOST_TEST(text.starts_with("cuDNN Frontend error: [cudnn_frontend] Error: No valid execution plans built.;"));
    BOOST_TEST(text.ends_with("TORCH_CUDNN_SDPA_DEPRIORITIZED=1 in the environment does without cuDNN's attention"));
}

BOOST_AUTO_TEST_CASE(other_errors_lose_their_stack_only) {
    BOOST_TEST(text_of("Expected all tensors to be on the same device\nException raised from") ==
               "Expected all tensors to be on the same device");
    BOOST_TEST(text_of("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: not enough memory: you tried\nframe")
                   .starts_with("out of memory: use a smaller --micro-batch"));
    const auto [text, code] = described(std::make_exception_ptr(Error(ExitCode::bad_data, "a.h5 is broken")));
    BOOST_TEST(text == "a.h5 is broken");
    BOOST_TEST((code == ExitCode::bad_data));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip

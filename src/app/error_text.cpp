// See error_text.h.
#include "src/app/error_text.h"

#include <new>
#include <string_view>
#include <system_error>

namespace blip {
namespace {

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// LibTorch's own words, which go on with the state of its allocator and with a C++ stack.
std::string describe_library_error(const std::string& text) {
    std::string first_line = text.substr(0, text.find('\n'));
    if (holds(text, "CUDA out of memory")) {
        // "CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has a total capacity of 79 GiB of which 1 GiB is free.
        // ..."
        constexpr std::string_view last_of_use = " is free.";
        if (const auto end = first_line.find(last_of_use); end != std::string::npos)
            first_line.resize(end + last_of_use.size());
        return "out of GPU memory: use a smaller --micro-batch (captions and evaluation: --eval-batch, --num-beams) or "
               "a smaller --model: " +
               first_line;
    }
    if (holds(text, "CUBLAS_STATUS_ALLOC_FAILED") || holds(text, "CUDNN_STATUS_ALLOC_FAILED"))
        return "out of GPU memory: use a smaller --micro-batch or --model: " + first_line;
    // The CPU allocator reports exhaustion as a plain error.
    if (holds(text, "not enough memory") || holds(text, "can't allocate memory"))
        return "out of memory: use a smaller --micro-batch or --model: " + first_line;
    return first_line;
}

}    // namespace

std::pair<std::string, ExitCode> describe_current_exception() {
    try {
        throw;
    } catch (const Error& error) {
        return {error.what(), error.code()};
    } catch (const std::bad_alloc&) {
        return {out_of_memory, ExitCode::internal};
    } catch (const std::system_error& error) {
        const bool thread = error.code() == std::errc::resource_unavailable_try_again;
        return {(thread ? "cannot start a thread, out of memory or of processes (ulimit -u): " : "") +
                    std::string(error.what()),
                ExitCode::internal};
    } catch (const std::exception& error) {
        return {describe_library_error(error.what()), ExitCode::internal};
    }
}

}    // namespace blip

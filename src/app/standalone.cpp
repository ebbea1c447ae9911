// See standalone.h.
#include "src/app/standalone.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <new>
#include <string_view>
#include <system_error>

#include "blip/base/log.h"
#include "blip/base/standard_output.h"

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
    // cuBLAS says the second of them where its handle finds no memory; the last comes from the driver, as where another
    // program has the GPU's memory.
    for (const char* full : {"CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED", "CUDNN_STATUS_ALLOC_FAILED",
                             "CUDA error: out of memory"})
        if (holds(text, full))
            return "out of GPU memory: use a smaller --micro-batch or --model, or see with nvidia-smi who uses it, "
                   "too: " +
                   first_line;
    if (text.starts_with("CUDA error: "))
        return first_line +
               "; nvidia-smi shows whether the GPU is well and who uses it, CUDA_LAUNCH_BLOCKING=1 in the environment "
               "which operation failed";
    // Of cuDNN attention alone is used.
    if (text.starts_with("cuDNN"))
        return first_line + "; TORCH_CUDNN_SDPA_DEPRIORITIZED=1 in the environment does without cuDNN's attention";
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

void open_standard_streams() {
    for (int fd = 0; fd <= 2; ++fd) {
        if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
    }
}

int run_alone(const std::function<ExitCode()>& verb) {
    init_log(0);
    try {
        return static_cast<int>(verb());
    } catch (...) {
        const auto [message, code] = describe_current_exception();
        log_error_text(message);
        return static_cast<int>(code);
    }
}

bool answer(const ParsedCommandLine& command) {
    const bool configuration = command.options.print_config;
    if (!command.help && !configuration) return false;
    if (launcher_rank() != 0) return true;
    if (command.help)
        write_standard_output(help_text(command), "help");
    else
        write_standard_output(print_config(command.options), "the configuration");
    return true;
}

std::filesystem::path program_beside(const char* name) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

void become(const char* name, const std::vector<std::string>& words) {
    std::vector<char*> arguments = {program_invocation_name};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const std::filesystem::path program = program_beside(name);
    ::execv(program.c_str(), arguments.data());
    throw Error(ExitCode::missing_input, "{} cannot be started: {}", program.string(),
                std::generic_category().message(errno));
}

std::vector<std::string> set_deterministic_environment() {
    // cuBLAS reads it when it starts; its products repeat bit for bit with either of two values.
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
    std::vector<std::string> warnings;
    for (const auto& [name, value] : {std::pair{"NCCL_ALGO", "Ring"}, {"NCCL_PROTO", "Simple"}}) {
        ::setenv(name, value, 0);
        const std::string set = std::getenv(name);
        if (set != value)
            warnings.push_back(
                fmt::format("--deterministic: {0} is '{1}' in the environment, and stays so; sums over "
                            "several GPUs are sure to repeat bit for bit with {0}={2} only",
                            name, set, value));
    }
    return warnings;
}

}    // namespace blip

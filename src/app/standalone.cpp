// See standalone.h.
#include "src/app/standalone.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "blip/base/log.h"
#include "blip/base/standard_output.h"
#include "src/app/error_text.h"

namespace blip {

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

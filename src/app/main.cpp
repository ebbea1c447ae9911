// blip_mpi: the front door. Without LibTorch and MPI, so that it answers in milliseconds whatever needs no data: help,
// versions, the configuration, a command line that cannot be understood. It becomes the program that does the rest:
// blip_mpi_score, coco_pack, blip_mpi_cuda where there is a GPU to compute on, else blip_mpi_cpu.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/gpu_presence.h"
#include "blip/base/standard_output.h"
#include "blip/base/version.h"
#include "blip/options/describe.h"
#include "src/app/libtorch.h"
#include "src/app/standalone.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// The next program reads the configuration again, and a pipe can be read only once: its text moves into memory.
void keep_piped_config(std::vector<std::string>& words) {
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
        std::error_code absent;
        if (words[i] != "--config" || !fs::is_fifo(words[i + 1], absent)) continue;
        const std::string text = read_file(words[i + 1]);
        const int memory = ::memfd_create("config", 0);
        if (memory < 0 || ::write(memory, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            throw std::system_error(errno, std::generic_category(), "cannot keep the text of --config");
        words[i + 1] = "/proc/self/fd/" + std::to_string(memory);
    }
}

ExitCode run(std::vector<std::string> words) {
    // the packer is a program of its own
    if (!words.empty() && words[0] == "pack") become(pack_program, {words.begin() + 1, words.end()});
    if (words.size() > 1 && words[0] == "help" && words[1] == "pack") become(pack_program, {"--help"});
    if (print_version("blip_mpi", words)) return ExitCode::ok;
    if (words == std::vector<std::string>{describe_option}) {
        write_standard_output(describe_verbs(), "the options");
        return ExitCode::ok;
    }
    // LibTorch ends the process in a way of its own where it is gone.
    if (std::error_code gone; fs::current_path(gone).empty() && gone == std::errc::no_such_file_or_directory)
        throw Error(ExitCode::missing_input, "the working directory is gone: cd to one that exists");
    keep_piped_config(words);
    ParsedCommandLine command;
    try {
        command = parse_command_line(words);
    } catch (const Error&) {
        // The command lines of other ranks may be in order, and would wait: they are told by MPI.
        if (launcher_size() > 1) {
            choose_libtorch(false);
            become(cpu_program, words);
        }
        throw;
    }
    if (answer(command)) return ExitCode::ok;
    const Verb verb = command.options.verb;
    if (verb == Verb::score && command.options.score.clip.empty()) become(score_program, words);
    const RuntimeOptions& runtime = command.options.runtime;
    const bool may_use_gpu =
        verb == Verb::train || verb == Verb::evaluate || verb == Verb::caption || verb == Verb::check;
    if (may_use_gpu && runtime.device != "cpu" && find_gpus().reason.empty()) {
        if (runtime.deterministic) set_deterministic_environment();
        if (::access(program_beside(cuda_program).c_str(), X_OK) == 0) {
            choose_libtorch(true);
            become(cuda_program, words);
        }
    }
    choose_libtorch(false);
    become(cpu_program, words);    // which says so where it ought to be the other
}

}    // namespace
}    // namespace blip

int main(int argc, char** argv) {
    // A batch system's request to stop waits until the program that this becomes takes it: it would end the
    // process.
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGUSR1);
    sigprocmask(SIG_BLOCK, &stop, nullptr);
    blip::open_standard_streams();
    try {
        return static_cast<int>(blip::run({argv + 1, argv + argc}));
    } catch (...) {
        const auto [message, code] = blip::describe_current_exception();
        fmt::print(stderr, "blip_mpi: {}\n", message);
        return static_cast<int>(code);
    }
}

// blip_mpi_cpu and blip_mpi_cuda, which blip_mpi (main.cpp) becomes; people may also start them by themselves. Parse,
// choose the device, start MPI where the verb needs it, run the verb, turn errors into exit codes.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "blip/base/error.h"
#include "blip/base/gpu_presence.h"
#include "blip/base/log.h"
#include "blip/base/version.h"
#include "blip/comm/mpi/communicator.h"
#include "blip/comm/mpi/session.h"
#include "blip/comm/run_together.h"
#include "blip/comm/watchdog.h"
#include "blip/options/parse.h"
#include "src/app/device_choice.h"
#include "src/app/standalone.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"

namespace blip {
namespace {

void tell(const std::vector<std::string>& notes) {
    for (const std::string& note : notes) log_info_text(note);
}

// problem: why this rank's command line could not be understood; those of other ranks may be in order, and would wait.
ExitCode run_with_mpi(const ParsedCommandLine& command, const DeviceChoice& choice, int argc, char** argv,
                      const std::optional<Error>& problem = {}) {
    const Options& options = command.options;
    std::optional<TrialFolder> trial;
    const CheckData data = options.verb == Verb::check && !problem ? prepare_check(options, trial) : CheckData();
    const Watchdog watchdog(options.comm.timeout_s);
    // Outside the try block: a rank that unwinds into MPI_Finalize would hang with the others.
    MpiSession session(&argc, &argv);
    init_log(session.rank());
    try {
        tell(command.notes);
        std::unique_ptr<Communicator> communicator = make_mpi_communicator(options.comm);
        run_together(*communicator, [&] {
            if (problem) throw Error(*problem);
        });
        agree_on_device(options, choice, *communicator);
        if (options.verb == Verb::caption) return run_caption(options, &session, communicator.get());
        if (options.verb == Verb::check) return run_check(options, session, std::move(communicator), data);
        if (options.verb == Verb::train) return run_train(options, session, std::move(communicator), build_facts);
        return run_evaluate(options, session, std::move(communicator));
    } catch (const AgreedError& error) {
        if (session.rank() == 0) log_error_text(error.what());
        return error.code();
    } catch (...) {
        abort_job(session);
    }
}

int run(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    ParsedCommandLine command;
    try {
        if (print_version(built_with_cuda() ? cuda_program : cpu_program, words)) return 0;
        command = parse_command_line(words);
    } catch (const Error& error) {
        if (launcher_size() > 1) return static_cast<int>(run_with_mpi(command, {}, argc, argv, error));
        fmt::print(stderr, "blip_mpi: {}\n", error.what());
        return static_cast<int>(error.code());
    }
    if (command.help || command.options.print_config) return run_alone([&] { return answer(command), ExitCode::ok; });
    if (command.options.verb == Verb::score)
        return run_alone([&] {
            tell(command.notes);
            return run_score(command.options, read_packed_references, score_with_clip);
        });
    const Verb verb = command.options.verb;
    if (verb == Verb::verify || verb == Verb::report || verb == Verb::status) {
        if (launcher_rank() != 0) return 0;    // under a launcher one process does it for all
        return run_alone([&] {
            if (verb == Verb::verify) return run_verify(command.options.verify, command.options.json);
            return verb == Verb::report ? run_report(command.options) : run_status(command.options.show);
        });
    }
    if (command.options.verb == Verb::export_weights) return run_alone([&] { return run_export(command.options); });
    const DeviceChoice choice = choose_device(command.options);
    if (command.options.verb != Verb::caption || launcher_size() > 1)
        return static_cast<int>(run_with_mpi(command, choice, argc, argv));
    return run_alone([&] {
        tell(command.notes);
        require_device(choice);
        return run_caption(command.options, nullptr, nullptr);
    });
}

// Memory that ends within a destructor (JSON's allocate) or on a thread of a library's own, a lost GPU that destructors
// meet again (LibTorch's allocator asks it): no signal and no core, but a message and a code of ours. The launcher ends
// the other ranks.
[[noreturn]] void on_terminate() noexcept {
    std::set_terminate(std::abort);    // what follows may need memory too
    char line[1024] = "an error that nothing could catch";
    try {
        if (const auto error = std::current_exception()) std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
        std::snprintf(line, sizeof line, "%s", out_of_memory);
    } catch (const std::exception&) {
        std::snprintf(line, sizeof line, "%s", describe_current_exception().first.c_str());
    } catch (...) {
    }
    std::fprintf(stderr, "error: rank %d on %s: %s\n", launcher_rank(), host_name().c_str(), line);
    std::_Exit(static_cast<int>(ExitCode::internal));
}

}    // namespace
}    // namespace blip

int main(int argc, char** argv) {
    blip::open_standard_streams();
    std::set_terminate(blip::on_terminate);
    blip::tune_allocator();
    blip::install_stop_signals();
    return blip::run(argc, argv);
}

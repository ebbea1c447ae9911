// See startup.h.
#include "src/app/startup.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <malloc.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <ranges>
#include <thread>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/base/version.h"
#include "blip/checkpoint/init.h"
#include "blip/comm/run_together.h"
#include "blip/device/large_tensors.h"
#include "blip/options/model_shape.h"
#include "blip/options/parse.h"
#include "blip/train/run_identity.h"
#include "src/app/affinity.h"
#include "src/app/standalone.h"

namespace blip {

namespace {

std::atomic<bool> stop_flag{false}, ends_at_once{false};

// What a signal is answered with; empty until say_at_stop. Written before the answers may be looked at, and never
// again.
std::string stop_answer, terminate_answer;
std::atomic<bool> answers_stop{false};

// Takes the signals, one after another, to the end of the process. A thread of its own does this, and no handler: what
// oneDNN generates keeps the address of a buffer in the stack pointer at times, and a handler's frame, which the kernel
// puts there, would overwrite the heap.
void answer_stop_signals(const sigset_t& signals) {
    for (int signal = 0;;) {
        if (sigwait(&signals, &signal) != 0) continue;
        // A second Ctrl-C means it.
        if ((signal == SIGINT && stop_flag) || (signal != SIGUSR1 && ends_at_once)) {
            std::signal(signal, SIG_DFL);
            pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
            std::raise(signal);
        }
        if (!stop_flag.exchange(true) && answers_stop)
            write_all(STDERR_FILENO, signal == SIGTERM ? terminate_answer : stop_answer);
    }
}

std::vector<RankCores> cores_of_all(int threads, HostMessages& communicator) {
    const RankCores own = find_own_cores();
    std::vector<RankCores> ranks;
    const nlohmann::json told = {own.host, own.cores, own.host_cores, threads};
    for (const nlohmann::json& of_rank : all_gather_json(communicator, told, "cores of the ranks"))
        ranks.push_back({of_rank[0], of_rank[1], of_rank[2], of_rank[3]});
    return ranks;
}

// "4", "1 to 4"
std::string range_of(const std::vector<RankCores>& ranks, const std::function<int(const RankCores&)>& count) {
    const auto [least, most] = std::ranges::minmax(ranks | std::views::transform(count));
    return least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most);
}

std::vector<std::string> describe_hosts(const std::vector<RankCores>& ranks) {
    std::map<std::string, std::vector<RankCores>> hosts;
    for (const RankCores& rank : ranks) hosts[rank.host].push_back(rank);
    std::vector<std::string> lines;
    for (const auto& [host, of_host] : hosts)
        lines.push_back(fmt::format("{} ({}, {} cores each may use)", host, counted(std::ssize(of_host), "rank"),
                                    range_of(of_host, [](const RankCores& r) { return int(r.cores.size()); })));
    return lines;
}

// Tells builds of a program or library apart: the beginning of an ELF file holds the sizes of its parts, and of
// programs the linker's build id.
std::string build_of(const char* file) { return digest_of(first_bytes(file, 4096)); }

std::string torch_build() {
    Dl_info library{};
    return ::dladdr(reinterpret_cast<const void*>(&at::get_num_threads), &library) == 0 ? "unknown"
                                                                                        : build_of(library.dli_fname);
}

void complete_shape(Options& options, ModelOptions found) {
    if (const auto conflicts = model_conflicts(options, found); !conflicts.empty()) {
        const auto preset = asks_for_dimension(options, "model") ? preset_of(found) : std::nullopt;
        throw Error(ExitCode::usage, "the weights in {} have another shape{}: {}", options.init.string(),
                    preset ? fmt::format(", that of --model {}", *preset) : "", fmt::join(conflicts, "; "));
    }
    if (asks_for_dimension(options, "image-size")) found.image_size = options.model.image_size;
    options.model = found;
    check_consistency(options);
}

}    // namespace

void tune_allocator() {
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
    mallopt(M_TOP_PAD, 64 << 20);
    set_large_tensors_apart();
}

int set_threads(Options& options, HostMessages* communicator) {
    const int own_cores = communicator == nullptr ? share_of_cores({find_own_cores()}, 0)
                                                  : share_of_cores(cores_of_all(0, *communicator),
                                                                   static_cast<std::size_t>(communicator->rank()));
    if (options.runtime.threads == 0) options.runtime.threads = own_cores;
    at::set_num_threads(options.runtime.threads);
    return own_cores;
}

void set_evaluation_batch(Options& options) {
    if (options.evaluate.batch == 0) options.evaluate.batch = options.runtime.device == "cuda" ? 128 : 16;
}

void set_loader_threads(Options& options, int own_cores, bool decodes) {
    if (options.data.loader_threads > 0) return;
    const bool all_cores = decodes || options.runtime.device == "cuda";
    options.data.loader_threads = all_cores ? own_cores : std::max(1, own_cores / 2);
}

void install_stop_signals() {
    sigset_t signals, blocked, all, before;
    sigemptyset(&signals);
    for (int signal : {SIGUSR1, SIGTERM, SIGINT}) sigaddset(&signals, signal);
    struct sigaction at_hangup = {};
    sigaction(SIGHUP, nullptr, &at_hangup);
    if (at_hangup.sa_handler != SIG_IGN) sigaddset(&signals, SIGHUP);
    sigfillset(&all);
    blocked = signals;
    sigaddset(&blocked, SIGUSR2);                     // the watchdog asks for it
    pthread_sigmask(SIG_BLOCK, &blocked, nullptr);    // in all threads to come, too
    pthread_sigmask(SIG_SETMASK, &all, &before);      // in this one all others as well
    std::thread(answer_stop_signals, signals).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    std::signal(SIGXFSZ, SIG_IGN);    // ulimit -f: the write fails, as on a full disk
}

void say_at_stop(const std::string& answer) {
    const std::string before = ::isatty(STDERR_FILENO) != 0 ? "\n" : "";    // behind the progress line
    stop_answer = before + "blip_mpi: stopping: " + answer + "\n";
    // Open MPI's mpirun makes a TERM of Ctrl-C, and a second later KILL.
    const bool by_mpirun = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr && launcher_size() > 1;
    terminate_answer =
        before + "blip_mpi: stopping: " + answer +
        (by_mpirun ? ", if mpirun lets it: after Ctrl-C it kills the ranks in a second; jobs/local.sh, or "
                     "kill -USR1 on mpirun, leaves them the time"
                   : "") +
        "\n";
    answers_stop = true;
}

void abort_job(const MpiSession& session) {
    const auto [message, code] = describe_current_exception();
    const std::string who = fmt::format("rank {} on {}", session.rank(), host_name());
    log_error_text(message.starts_with(who) ? message : who + ": " + message);
    session.abort(static_cast<int>(code));
}

bool stop_requested() { return stop_flag; }

void let_signals_end_process() { ends_at_once = true; }

void check_same_options(const Options& options, HostMessages& communicator) {
    std::map<std::string, std::string> own = changed_options_of_all_ranks(options);
    own["verb"] = options.verb == Verb::train ? "train" : "evaluate";
    own["program"] = program_version;
    own["build of the program"] = build_of("/proc/self/exe");
    own["LibTorch"] = fmt::format("{} ({})", TORCH_VERSION, torch_build());
    own["precision"] = options.runtime.precision;
    check_ranks_agree(own, communicator);
}

std::string describe_changes(const Options& options) {
    std::vector<std::string> changed;
    for (const auto& [name, value] : changed_options(options)) {
        // resolved from auto, and told in a line of their own
        if (name != "device" && name != "precision") changed.push_back(fmt::format("{}={}", name, value));
    }
    return changed.empty() ? "none" : fmt::format("{}", fmt::join(changed, " "));
}

void adopt_model_shape(Options& options, HostMessages* communicator) {
    if (options.init.empty()) return;
    const ModelOptions found =
        read_model_options(options.init, options.model, options.explicit_model_options, communicator);
    if (communicator == nullptr)
        complete_shape(options, found);
    else
        run_together(*communicator, [&] { complete_shape(options, found); });
}

void print_run(const Options& options, const std::string& changed, const std::string& device,
               const PackedDataset& dataset, HostMessages& communicator) {
    const std::vector<RankCores> ranks = cores_of_all(options.runtime.threads, communicator);
    if (communicator.rank() != 0) return;
    log_info("blip_mpi {}: {} on {}", program_version, counted(communicator.size(), "rank"),
             fmt::join(describe_hosts(ranks), ", "));
    log_info("precision {} on {}, {} compute and {} a rank; LibTorch {}, {}", options.runtime.precision, device,
             range_of(ranks, [](const RankCores& rank) { return rank.threads; }),
             counted(options.data.loader_threads, "loader thread"), TORCH_VERSION, mpi_library_version());
    std::vector<std::string> splits;
    for (const SplitTables& split : dataset.splits())
        splits.push_back(fmt::format("{} {} {}", split.name, counted(split.image_count(), "image"),
                                     counted(split.caption_count(), "caption")));
    log_info("data {} ({}), digest {}", dataset.path().string(), fmt::join(splits, ", "), dataset.data_digest());
    log_info("options that differ from the defaults: {}", changed);
    for (const std::string& warning : core_warnings(ranks)) log_warning_text(warning);
}

}    // namespace blip

// See startup.h.
#include "src/app/startup.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sched.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <nlohmann/json.hpp>

#include "blip/base/log.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/options/parse.h"
#include "blip/train/run_identity.h"

namespace blip {

namespace {

volatile std::sig_atomic_t stop_flag = 0;

void on_stop_signal(int signal) {
    // A second Ctrl-C means it.
    if (signal == SIGINT && stop_flag != 0) {
        std::signal(SIGINT, SIG_DFL);
        std::raise(SIGINT);
    }
    stop_flag = 1;
}

}    // namespace

void tune_allocator() {
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
    mallopt(M_TOP_PAD, 64 << 20);
}

int available_cores() {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
    return std::max(1, CPU_COUNT(&cores));
}

void set_threads(Options& options, int ranks_here) {
    const int cores = available_cores();
    const bool bound = cores < sysconf(_SC_NPROCESSORS_ONLN);
    // A bound rank has its cores to itself; otherwise the host's ranks share them.
    const int own = bound ? cores : std::max(1, cores / ranks_here);
    if (options.runtime.threads == 0) options.runtime.threads = own;
    if (options.data.loader_threads == 0) options.data.loader_threads = std::max(1, own / 2);
    at::set_num_threads(options.runtime.threads);
}

void install_stop_signals() {
    struct sigaction action = {};
    action.sa_handler = on_stop_signal;
    action.sa_flags = SA_RESTART;
    for (int signal : {SIGUSR1, SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
}

bool stop_requested() { return stop_flag != 0; }

void check_same_options(const Options& options, Communicator& communicator) {
    std::map<std::string, std::string> own = changed_options(options);
    for (const char* of_one_rank : {"threads", "loader-threads", "prefetch", "data", "no-progress"})
        own.erase(of_one_rank);
    own["verb"] = options.verb == Verb::train ? "train" : "evaluate";
    own["program"] = program_version;
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

void adopt_model_shape(Options& options) {
    if (options.init.empty()) return;
    if (!std::filesystem::exists(options.init))
        throw Error(ExitCode::missing_input,
                    fmt::format("--init {}: no such file or directory", options.init.string()));
    ModelOptions found;
    try {
        found = read_model_options(options.init);
    } catch (const Error& error) {
        // Weights that do not say their shape: the options give it.
        if (error.code() != ExitCode::missing_input || options.explicit_model_options.empty()) throw;
        return;
    }
    const auto conflicts = model_conflicts(options, found);
    if (!conflicts.empty())
        throw Error(ExitCode::usage, fmt::format("the weights in {} have another shape: {}", options.init.string(),
                                                 fmt::join(conflicts, "; ")));
    options.model = found;
    check_consistency(options);
}

void print_run(const Options& options, const std::string& changed, const std::string& device,
               const PackedDataset& dataset, Communicator& communicator, const MpiSession& session) {
    const nlohmann::json own = {host_name(), available_cores()};
    const auto all = communicator.all_gather_strings(own.dump(), "hosts of the ranks");
    if (communicator.rank() != 0) return;
    std::map<std::string, std::pair<int, int>> hosts;    // name -> ranks, fewest cores
    for (const std::string& text : all) {
        const auto report = nlohmann::json::parse(text);
        auto& [ranks, cores] = hosts.try_emplace(report[0], 0, report[1].get<int>()).first->second;
        ++ranks;
        cores = std::min(cores, report[1].get<int>());
    }
    std::vector<std::string> host_lines;
    for (const auto& [name, counts] : hosts)
        host_lines.push_back(fmt::format("{} ({} ranks, {} cores each may use)", name, counts.first, counts.second));
    log_info("blip_mpi {}: {} ranks on {}", program_version, communicator.size(), fmt::join(host_lines, ", "));
    log_info("precision {} on {}, {} compute and {} loader threads a rank; LibTorch {}, {}", options.runtime.precision,
             device, options.runtime.threads, options.data.loader_threads, TORCH_VERSION, mpi_library_version());
    std::vector<std::string> splits;
    for (const SplitTables& split : dataset.splits())
        splits.push_back(
            fmt::format("{} {} images {} captions", split.name, split.image_count(), split.caption_count()));
    log_info("data {} ({}), digest {}", dataset.path().string(), fmt::join(splits, ", "), dataset.data_digest());
    log_info("options that differ from the defaults: {}", changed);
    const bool shared_core = available_cores() == 1 && sysconf(_SC_NPROCESSORS_ONLN) > session.local_size();
    if (shared_core)
        log_warning("each rank is bound to one core although this host has {}: mpirun --bind-to none gives them all",
                    sysconf(_SC_NPROCESSORS_ONLN));
}

}    // namespace blip

// See affinity.h.
#include "src/app/affinity.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <thread>

#include "blip/base/error.h"
#include "blip/base/printable.h"

namespace blip {
namespace {

std::vector<int> cores_of_this_thread() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cores;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int core = 0; core < CPU_SETSIZE; ++core)
            if (CPU_ISSET(core, &set)) cores.push_back(core);
    if (cores.empty()) cores.push_back(0);
    return cores;
}

// A thread of its own asks for all cores; the system grants what the job was given (a container's or batch job's
// cpuset), whatever mpirun bound this process to. The process stays bound as it is.
int cores_without_binding() {
    std::size_t count = 1;
    std::thread([&count] {
        cpu_set_t all;
        std::memset(&all, 0xFF, sizeof all);
        sched_setaffinity(0, sizeof all, &all);
        count = cores_of_this_thread().size();
    }).join();
    return static_cast<int>(count);
}

// "rank 3", "ranks 0-3, 7"
std::string name_ranks(const std::vector<std::size_t>& ranks) {
    std::vector<std::string> runs;
    for (std::size_t i = 0; i < ranks.size();) {
        std::size_t last = i;
        while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
        runs.push_back(last == i ? fmt::format("{}", ranks[i]) : fmt::format("{}-{}", ranks[i], ranks[last]));
        i = last + 1;
    }
    return fmt::format("rank{} {}", ranks.size() == 1 ? "" : "s", fmt::join(runs, ", "));
}

struct Host {
    std::vector<std::size_t> ranks, on_one_core;
    std::set<int> cores;    // that any of its ranks may use
    int host_cores = 0, threads = 0;
    std::size_t most_cores = 0;    // of a rank
};

}    // namespace

RankCores find_own_cores() {
    RankCores own{host_name(), cores_of_this_thread(), 0, 0};
    own.host_cores = std::max(cores_without_binding(), static_cast<int>(own.cores.size()));
    return own;
}

int share_of_cores(const std::vector<RankCores>& all, std::size_t rank) {
    std::map<int, int> users;    // core -> ranks of this host that may use it
    for (const RankCores& other : all)
        if (other.host == all[rank].host)
            for (const int core : other.cores) ++users[core];
    double share = 0;
    for (const int core : all[rank].cores) share += 1.0 / users[core];
    constexpr double rounding = 1e-9;    // three thirds are one
    return std::max(1, static_cast<int>(share + rounding));
}

std::vector<std::string> core_warnings(const std::vector<RankCores>& all) {
    std::map<std::string, Host> hosts;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        Host& host = hosts[all[rank].host];
        host.ranks.push_back(rank);
        if (all[rank].cores.size() == 1) host.on_one_core.push_back(rank);
        host.cores.insert(all[rank].cores.begin(), all[rank].cores.end());
        host.host_cores = std::max(host.host_cores, all[rank].host_cores);
        host.threads += all[rank].threads;
        host.most_cores = std::max(host.most_cores, all[rank].cores.size());
    }
    std::vector<std::string> warnings;
    for (const auto& [name, host] : hosts) {
        const int used = static_cast<int>(host.cores.size());
        // ranks that have a core each, and all cores in use, are bound well
        if (!host.on_one_core.empty() && (used < host.host_cores || host.most_cores > 1))
            warnings.push_back(fmt::format(
                "{} on {}: bound to one core{} of the {} there; mpirun --bind-to none shares all of them (srun: "
                "--cpus-per-task)",
                name_ranks(host.on_one_core), name, host.on_one_core.size() == 1 ? "" : " each", host.host_cores));
        if (host.threads > used)
            warnings.push_back(
                fmt::format("{} on {}: {} compute threads share {}, which slows all down; start fewer ranks there, or "
                            "give fewer --threads",
                            name_ranks(host.ranks), name, host.threads, counted(used, "core")));
    }
    return warnings;
}

}    // namespace blip

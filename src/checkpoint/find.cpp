// Which checkpoint to resume from: the newest that is whole. Called by the trainer at start, on all ranks.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>
#include <sstream>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/comm/run_together.h"
#include "src/checkpoint/directories.h"
#include "src/checkpoint/shard_check.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// Who found what is wrong: each problem once, with its hosts unless all found it.
std::vector<std::string> merge_problems(const std::vector<std::string>& of_ranks) {
    std::map<std::string, std::set<std::string>> hosts_of;
    std::set<std::string> all_hosts;
    for (const std::string& text : of_ranks) {
        std::istringstream lines(text);
        std::string host;
        std::getline(lines, host);
        all_hosts.insert(host);
        for (std::string problem; std::getline(lines, problem);) hosts_of[problem].insert(host);
    }
    std::vector<std::string> problems;
    for (const auto& [problem, hosts] : hosts_of)
        problems.push_back(hosts == all_hosts ? problem : fmt::format("{} (on {})", problem, fmt::join(hosts, ", ")));
    return problems;
}

// What a disk does not give may be whole: an older checkpoint must not take its place.
template <class Work>
void with_remedy(const Work& work) {
    try {
        work();
    } catch (const Error& failure) {
        if (failure.code() != ExitCode::io) throw;
        throw Error(ExitCode::io,
                    "{}: run the same command again when the disk answers, or move that "
                    "checkpoint away to go on from the one before it",
                    failure.what());
    }
}

// Collective: rank 0 reads the manifest. Returns what is wrong with it; empty: nothing.
std::string read_manifest(const fs::path& path, Manifest& manifest, HostMessages& communicator) {
    std::string problem;
    const std::string text = run_on_first_rank(communicator, [&] {
        std::string whole;
        with_remedy([&] {
            try {
                whole = read_manifest_text(path);
            } catch (const Error& failure) {
                if (failure.code() == ExitCode::io) throw;
                problem = failure.what();
            }
        });
        return whole;
    });
    communicator.broadcast(problem, "what is wrong with a manifest");
    if (!problem.empty()) return problem;
    try {
        manifest = Manifest::from_json(text, path.string());
    } catch (const Error& failure) {
        return failure.what();    // the same text gives the same answer on all ranks
    }
    return "";
}

// Collective. Every host reads every shard, as its ranks will: one host's copy of a file (its cache, its mount) may be
// damaged alone. Errors: io, on all ranks.
std::vector<std::string> verify_shards(const fs::path& directory, const Manifest& manifest,
                                       HostMessages& communicator) {
    std::string own = host_name();
    run_together(communicator, [&] {
        const auto step = static_cast<std::size_t>(communicator.node_size());
        for (auto i = static_cast<std::size_t>(communicator.node_rank()); i < manifest.shards.size(); i += step)
            with_remedy([&] {
                if (const auto problem = shard_problem(directory, manifest.shards[i])) own += "\n" + *problem;
            });
    });
    return merge_problems(communicator.all_gather_strings(own, "verify a checkpoint"));
}

}    // namespace

std::optional<FoundCheckpoint> find_newest_checkpoint(const fs::path& run_directory, HostMessages& communicator) {
    const std::string names = run_on_first_rank(communicator, [&] {
        std::string complete;
        for (const StepDirectory& directory : list_steps(checkpoints_directory(run_directory)))
            if (directory.has_manifest) complete += directory.path.filename().string() + "\n";
        return complete;
    });
    int damaged = 0;
    std::istringstream lines(names);
    for (std::string name; std::getline(lines, name);) {
        const fs::path directory = checkpoints_directory(run_directory) / name;
        Manifest manifest;
        std::vector<std::string> problems;
        if (std::string problem = read_manifest(directory / kManifestName, manifest, communicator); !problem.empty())
            problems.push_back(std::move(problem));
        else
            problems = verify_shards(directory, manifest, communicator);
        if (problems.empty()) return FoundCheckpoint{directory, std::move(manifest)};
        ++damaged;
        if (communicator.rank() == 0)
            log_warning("checkpoint {} is passed over: {}", directory.string(), fmt::join(problems, "; "));
    }
    if (damaged > 0) {
        // to start over would in the end remove what a person may still want to rescue
        throw AgreedError(ExitCode::bad_data,
                          "{} holds {}, none of them intact; restore one, or give another --output to start over",
                          checkpoints_directory(run_directory).string(), counted(damaged, "checkpoint"));
    }
    return std::nullopt;
}

}    // namespace blip

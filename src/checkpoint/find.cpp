// Which checkpoint to resume from: the newest that is whole. Called by the trainer at start, on all ranks.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/checkpoint/checkpoints.h"
#include "src/checkpoint/directories.h"
#include "src/checkpoint/shard_check.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// One candidate as rank 0 offers it. All empty: there is none (left).
struct Candidate {
    std::string directory, manifest, problem;
};

// Collective. Every rank reads its part of the shards; all learn all problems.
std::vector<std::string> verify(const Candidate& candidate, Manifest& manifest, Communicator& communicator) {
    std::vector<std::string> problems;
    try {
        manifest = Manifest::from_json(candidate.manifest, (fs::path(candidate.directory) / kManifestName).string());
    } catch (const Error& failure) {
        return {failure.what()};    // the same text gives the same answer on all ranks
    }
    std::string own;
    for (std::size_t i = 0; i < manifest.shards.size(); ++i) {
        if (static_cast<int>(i % static_cast<std::size_t>(communicator.size())) != communicator.rank()) continue;
        if (const auto problem = shard_problem(candidate.directory, manifest.shards[i])) own += *problem + "; ";
    }
    for (const std::string& found : communicator.all_gather_strings(own, "verify a checkpoint")) {
        if (!found.empty()) problems.push_back(found.substr(0, found.size() - 2));
    }
    return problems;
}

Candidate read_candidate(const StepDirectory& directory) {
    Candidate candidate{directory.path.string(), "", ""};
    try {
        candidate.manifest = read_file(directory.path / kManifestName);
    } catch (const Error& failure) {
        candidate.problem = failure.what();
    }
    return candidate;
}

}    // namespace

std::optional<FoundCheckpoint> find_newest_checkpoint(const fs::path& run_directory, Communicator& communicator) {
    std::vector<StepDirectory> complete;
    std::string error;
    if (communicator.rank() == 0) {
        try {
            for (const StepDirectory& directory : list_steps(checkpoints_directory(run_directory))) {
                if (directory.has_manifest) complete.push_back(directory);
            }
        } catch (const Error& failure) {
            error = failure.what();
        }
    }
    communicator.broadcast(error, "look for checkpoints");
    if (!error.empty()) throw AgreedError(ExitCode::io, error);

    int damaged = 0;
    for (std::size_t next = 0;; ++next) {
        Candidate candidate;
        if (next < complete.size()) candidate = read_candidate(complete[next]);
        communicator.broadcast(candidate.directory, "offer a checkpoint");
        if (candidate.directory.empty()) break;
        communicator.broadcast(candidate.manifest, "offer a checkpoint's manifest");
        communicator.broadcast(candidate.problem, "offer a checkpoint's state");
        Manifest manifest;
        std::vector<std::string> problems;
        if (candidate.problem.empty()) {
            problems = verify(candidate, manifest, communicator);
        } else {
            problems.push_back(candidate.problem);
        }
        if (problems.empty()) return FoundCheckpoint{candidate.directory, std::move(manifest)};
        ++damaged;
        if (communicator.rank() == 0) {
            log_warning("checkpoint {} is passed over: {}", candidate.directory, fmt::join(problems, "; "));
        }
    }
    if (damaged > 0) {
        // to start over would in the end remove what a person may still want to rescue
        throw AgreedError(
            ExitCode::bad_data,
            fmt::format("{} holds {} checkpoint(s), none of them intact; restore one, or move them away to start over",
                        checkpoints_directory(run_directory).string(), damaged));
    }
    return std::nullopt;
}

}    // namespace blip

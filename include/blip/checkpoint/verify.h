// Whether what a run wrote can be trusted: each checkpoint and the best weights, good or bad with the reason. Reads
// only, by one process, also while the run goes on. Used by the verb verify.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace blip {

enum class VerifyState {
    good,
    bad,
    unfinished,    // no manifest or no weights: a save that was interrupted or goes on; nobody will ever read it
};
const char* to_text(VerifyState state);

struct VerifiedItem {
    std::filesystem::path path;    // the folder, or the file of weights
    std::string kind;              // "checkpoint" or "weights"
    VerifyState state = VerifyState::good;
    // bad, unfinished: what is wrong, in one line, naming each file; good: what it holds, for people
    std::string text;
    std::int64_t step = -1;     // optimizer steps it stands after; -1 if it does not say
    std::uint64_t bytes = 0;    // of the shards or the weights
};

// path: a run's folder (all its checkpoints, newest first, then best/), its checkpoints/, one checkpoint, a best/, or a
// file of weights that we wrote. deep: reads every byte and compares digests; otherwise the manifest's own digest, the
// size of every file, and the headers of the tensor files, which must cover each parameter once and belong to this
// step and rank. Throws missing_input: absent, or holds nothing of these; io: a folder cannot be listed.
std::vector<VerifiedItem> verify_outputs(const std::filesystem::path& path, bool deep);

}    // namespace blip

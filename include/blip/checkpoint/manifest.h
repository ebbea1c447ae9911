// manifest.json of a checkpoint: written last; a directory without a valid one does not exist as far as anyone reads.
// Holds the train state, the update count, the options that matter on resume, the model's shape, the world
// size and every file's size and xxh3 digest; and a digest of its own text, so that no damaged or edited one is taken
// for valid.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "blip/base/version.h"
#include "blip/options/options.h"

namespace blip {

// Where a run stands, besides weights and moments: what a resumed run needs to go on as if nothing had happened.
struct TrainState {
    std::int64_t global_step = 0;      // optimizer steps done since the start
    int epoch = 0;                     // epoch that the next step belongs to
    std::int64_t step_in_epoch = 0;    // index of the next step within it
    std::uint64_t seed = 0;

    // For people: the epoch of the last step, counted from 1.
    int epochs_begun() const { return epoch + (step_in_epoch > 0 ? 1 : 0); }

    bool operator==(const TrainState&) const = default;
};

struct ShardFile {
    std::string name;    // relative to the checkpoint's directory
    std::uint64_t bytes = 0;
    std::string xxh3;    // 16 hex digits over the whole file
};

struct Manifest {
    int format = checkpoint_format_version;
    TrainState state;
    std::int64_t update_count = 0;
    int world_size = 1;
    int threads = 1;
    ModelOptions model;
    // What must be the same on resume, by option name: seed, global batch, data digest, schedule, precision, ...
    std::map<std::string, std::string> identity;
    // What is told when it is not: it changes bits, or the scores of evaluations.
    std::map<std::string, std::string> other_bits, other_scores;
    // All options as text (--print-config form), for people.
    std::string config;
    std::vector<ShardFile> shards;

    std::string to_json() const;
    // Throws bad_data naming the file and the field. origin: the file's path.
    static Manifest from_json(const std::string& text, const std::string& origin);
};

// Names of the entries that differ, each as "name: was A, now B"; empty if none.
std::vector<std::string> identity_differences(const std::map<std::string, std::string>& then,
                                              const std::map<std::string, std::string>& now);

}    // namespace blip

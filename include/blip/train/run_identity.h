// What makes two starts the same run, and whether all ranks were started alike. Used by the trainer and by src/app.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "blip/checkpoint/checkpoints.h"
#include "blip/comm/communicator.h"
#include "blip/data/packed/dataset.h"
#include "blip/options/options.h"

namespace blip {

// What must be the same for a resumed run to be the same run: the data's digest, and the options of which another value
// makes another run (Traits), by name.
std::map<std::string, std::string> run_identity(const Options& options, const std::string& data_digest);
// Fills in what the manifest notes of them: identity, other_bits, other_scores.
void note_run(Manifest& manifest, const Options& options, const std::string& data_digest);

// What differs between a checkpoint's run and this one, each as "name: was A, now B".
struct ResumedDifferences {
    std::vector<std::string> another_run, other_bits, other_scores;
};
ResumedDifferences resumed_differences(const Manifest& then, const Options& options, const std::string& data_digest);

// Throws AgreedError (usage), naming the ranks and what differs, unless every rank's entries equal rank 0's.
// Collective.
void check_ranks_agree(const std::map<std::string, std::string>& own, HostMessages& communicator);

// The checkpoint that this run goes on from, if it has any; says which of its options have other values that it goes on
// with. Throws AgreedError: usage, naming what differs, if it is another run's; bad_data if there is none, but weights
// in best/, evaluations or the log of a run that had some, which would count for this one; what find_newest_checkpoint
// throws. Collective.
std::optional<FoundCheckpoint> find_own_checkpoint(const Options& options, const PackedDataset& dataset,
                                                   HostMessages& communicator);

}    // namespace blip

// What makes two starts the same run, and whether all ranks were started alike. Used by the trainer and by src/app.
#pragma once

#include <map>
#include <string>

#include "blip/checkpoint/checkpoints.h"
#include "blip/comm/communicator.h"
#include "blip/data/packed_dataset.h"
#include "blip/options/options.h"

namespace blip {

// What must be the same for a resumed run to be the same run, by option name.
std::map<std::string, std::string> run_identity(const Options& options, const PackedDataset& dataset);

// Throws AgreedError (usage), naming the ranks and what differs, unless every rank's entries equal rank 0's.
// Collective.
void check_ranks_agree(const std::map<std::string, std::string>& own, Communicator& communicator);

// Throws AgreedError (usage), naming what differs, unless the checkpoint is of this run. The same answer on all ranks.
void check_same_run(const FoundCheckpoint& found, const Options& options, const PackedDataset& dataset);

}    // namespace blip

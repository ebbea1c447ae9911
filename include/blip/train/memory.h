// What a training run takes on a rank: exactly, for what it holds from the first step to the end, and measured by
// running the longest micro-batch of the first epoch (--dry-run --measure). Called by the train verb.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/data/packed/dataset.h"
#include "blip/options/options.h"
#include "blip/params/arena.h"
#include "blip/tasks/task.h"

namespace blip {

struct MemoryPart {
    std::string what;
    double bytes = 0;
    bool on_host = false;    // whatever computes
};
// Weights, gradients, moments and masters of a rank, and what a checkpoint copies of them. frozen: how many of the
// parameters have no gradient.
std::vector<MemoryPart> state_memory(std::int64_t parameters, std::int64_t frozen, ArenaPlacement placement, int ranks);

// Trains two steps of one micro-batch a rank, the longest of the first epoch, on random weights, and logs on rank 0
// what the second took and the memory in use at most; from that, how long the run will take. Writes nothing.
// Collective.
void measure_run(const Options& options, const PackedDataset& dataset, const Task& task, ArenaPlacement placement,
                 HostMessages& communicator, Collectives& collectives);

// What this process may still take on this host: free and reclaimable memory, or what is left of the control group's
// limit if that is less. 0: unknown.
std::uint64_t available_host_bytes();

}    // namespace blip

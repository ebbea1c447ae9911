// One rank of each host reads weights, the host's others get the values from it. Internal to the checkpoint layer.
#pragma once

#include <functional>

#include "blip/comm/communicator.h"
#include "blip/params/arena.h"

namespace blip {

// Runs read on each host's first rank; what it gives to its sink reaches the sinks of all ranks of the host, piece by
// piece and in this order. If read or its sink throws an Error on the first rank, all ranks of the host throw it. A
// failing sink of another rank is that rank's Error, thrown once the host is through. Collective over the ranks of a
// host. Memory: a piece.
void read_once_per_host(HostMessages& communicator, const std::function<void(const WeightSink&)>& read,
                        const WeightSink& sink);

}    // namespace blip

// The device a verb computes on. Called by the verbs once device and precision are chosen (device_choice.h).
#pragma once

#include "blip/options/options.h"
#include "blip/params/arena.h"

namespace blip {

// Opens the device that options.runtime names for the calling thread, with its numerics, and returns it with the
// precision weights have there. local_rank and local_size tell which GPU is this rank's. Throws missing_input if the
// host shows too few GPUs.
ArenaPlacement open_device(const RuntimeOptions& options, int local_rank, int local_size);

// "cpu", or a GPU's name, memory and architecture, and the kernels that are asked for attention, in order.
std::string describe_device(const ArenaPlacement& placement);

}    // namespace blip

// What a new run must not begin beside: results of an earlier one, whose evaluations and best weights would count for
// it. Internal to find_own_checkpoint.
#pragma once

#include <filesystem>

#include "blip/comm/communicator.h"

namespace blip {

// Called where no checkpoint was found. Throws AgreedError(bad_data) naming what is left of a run that had some: best/,
// evaluations/, or a log that tells of saved checkpoints. Collective.
void refuse_earlier_results(const std::filesystem::path& output, Communicator& communicator);

}    // namespace blip

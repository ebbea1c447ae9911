// What earlier starts left in a run's folder, checkpoints aside. Internal to the train layer.
#pragma once

#include <filesystem>

#include "blip/comm/communicator.h"

namespace blip {

// Called where no checkpoint was found: a new run must not begin beside results that would count for it. Throws
// AgreedError(bad_data) naming what is left: weights in best/, evaluations, or a log that tells of saved checkpoints.
// Empty folders, as a full disk leaves them, are nothing. Collective.
void refuse_earlier_results(const std::filesystem::path& output, HostMessages& communicator);

// Removes the files that killed starts were writing into best/ and evaluations/, and names them. On rank 0, which holds
// the run's lock.
void remove_half_written(const std::filesystem::path& output);

}    // namespace blip

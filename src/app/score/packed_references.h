// References of a packed data set. Its library takes longer to load than the scores of some thousand captions: the
// program blip_mpi_score, which has it not, becomes another one for it.
#pragma once

#include <functional>
#include <vector>

#include "blip/metrics/caption_files.h"
#include "blip/options/options.h"

namespace blip {

using PackedReader = std::function<std::vector<ImageReferences>(const ScoreOptions&)>;

// Of --split; the pictures' files are named. Errors as PackedDataset; usage for splits that are needed or not there.
std::vector<ImageReferences> read_packed_references(const ScoreOptions& options);

}    // namespace blip

// The masters in a checkpoint's shards as one table of whole tensors, streamed like any other weights. Internal to the
// checkpoint layer: --init takes weights alone from a checkpoint through it, while load.cpp resumes a run.
#pragma once

#include <memory>

#include "blip/checkpoint/checkpoints.h"
#include "blip/params/layout.h"
#include "blip/weights/weight_file.h"

namespace blip {

// The shards have been verified. Pieces know element ranges, not shapes: those are layout's, where the number of
// elements agrees; the image encoder's positions may be of another resolution; what else disagrees is flat. Throws
// bad_data as ShardPieces does.
std::unique_ptr<WeightFile> open_masters(const FoundCheckpoint& found, const Layout& layout);

}    // namespace blip

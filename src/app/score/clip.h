// CLIPScore of what the verb score compares. Its model needs LibTorch: the program blip_mpi_score, which has it not,
// becomes another one for it.
#pragma once

#include <functional>

#include "blip/clip/clip_score.h"
#include "blip/metrics/caption_files.h"
#include "blip/options/options.h"

namespace blip {

// references: those that are scored, with their pictures' files where the data name these; runs: of each a caption by
// image.
using ClipScoring = std::function<ClipResults(const Options& options, const std::vector<ImageReferences>& references,
                                              std::vector<std::vector<std::string>> runs)>;

// With --clip and --images; says on stderr how far it is. Errors: as clip_scores; missing_input for a folder that is
// not there and images without a picture in it, io; stopped by a signal.
ClipResults score_with_clip(const Options& options, const std::vector<ImageReferences>& references,
                            std::vector<std::vector<std::string>> runs);

}    // namespace blip

// What the verb score does with large libraries: HDF5 for the references of a packed data set, LibTorch for CLIPScore.
// They take longer to load than the scores of some thousand captions: the program blip_mpi_score, which has neither,
// becomes another one for them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "blip/clip/clip_score.h"
#include "blip/metrics/caption_files.h"
#include "blip/options/options.h"

namespace blip {

using PackedReader = std::function<std::vector<ImageReferences>(const ScoreOptions&)>;

// Of --split; the pictures' files are named. Errors as PackedDataset; usage for splits that are needed or not there.
std::vector<ImageReferences> read_packed_references(const ScoreOptions& options);

// references: those that are scored, with their pictures' files where the data name these; runs: of each a caption by
// image.
using ClipScoring = std::function<ClipResults(const Options& options, const std::vector<ImageReferences>& references,
                                              std::vector<std::vector<std::string>> runs)>;

// With --clip and --images; says on stderr how far it is. Errors: as clip_scores; missing_input for a folder that is
// not there and images without a picture in it, io; stopped by a signal.
ClipResults score_with_clip(const Options& options, const std::vector<ImageReferences>& references,
                            std::vector<std::vector<std::string>> runs);

}    // namespace blip

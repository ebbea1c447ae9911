// Which caption is which image's. Called by the verb score.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "blip/metrics/caption_files.h"
#include "blip/options/options.h"

namespace blip {

// The files of a system's runs: the path itself, or what stands between its commas.
std::vector<std::filesystem::path> files_of_runs(const std::filesystem::path& path);

struct MatchedCaptions {
    std::vector<std::optional<ImageResult>> first;    // what is scored
    std::vector<std::vector<std::string>> further;    // that the results have besides, as drawn ones
};

// By image of the references its result, if there is one. An id is the same as a number, as a text and
// with ".0" behind it (42, "42", 42.0), and with zeros before it where no image is called so; results without ids, and
// ids that are names of files, go by the picture's file: its whole path, COCO's number, or a base name that one image
// alone has. Throws bad_data naming images with several captions, and those that are unknown.
MatchedCaptions match_captions(const std::vector<ImageResult>& results, const std::vector<ImageReferences>& references,
                               const std::filesystem::path& results_file, const ScoreOptions& options);

// The picture of each image among these files of a folder: by its file as the data name it (its path below the
// folder, COCO's number, a base name that one picture alone has), then by its id likewise. Throws missing_input naming
// the images without one.
std::vector<std::filesystem::path> match_pictures(const std::vector<ImageReferences>& images,
                                                  const std::vector<std::filesystem::path>& files,
                                                  const std::filesystem::path& folder);

}    // namespace blip

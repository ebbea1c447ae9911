// The forms of weight files behind WeightFile::open, which has recognised by the content which one it is.
#pragma once

#include <filesystem>
#include <memory>

#include "blip/weights/weight_file.h"

namespace blip {

// One file of any form but an index, recognised by its content.
std::unique_ptr<WeightFile> open_single(const std::filesystem::path& path);
std::unique_ptr<WeightFile> open_safetensors(const std::filesystem::path& path);
// JSON with "weight_map": tensor names to file names in the same folder.
std::unique_ptr<WeightFile> open_index(const std::filesystem::path& path);
// The same weights without what training tools put in front of every name ("module."). Throws bad_data if there are
// captioners behind two such beginnings.
std::unique_ptr<WeightFile> without_prefix(std::unique_ptr<WeightFile> file);

}    // namespace blip

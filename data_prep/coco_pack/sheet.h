// The page that shows what was packed: pictures with their captions. Called by coco_pack.
#pragma once

#include <filesystem>

namespace blip {

// One HTML file of 50 pictures, evenly from all splits, that needs no other file. Replaces an older one. Errors: as
// PackedDataset; io.
void write_sheet(const std::filesystem::path& packed, const std::filesystem::path& page);

}    // namespace blip

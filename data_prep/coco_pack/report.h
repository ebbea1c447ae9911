// What coco_pack prints about a file: --info, --check and the summary of decisions.
#pragma once

#include <filesystem>
#include <string>

#include "blip/data/packed/dataset.h"
#include "data_prep/coco_pack/source.h"

namespace blip {

// Contents of a packed file. Reads the tables only.
void print_info(const std::filesystem::path& path);
// Every digest. Throws bad_data listing the first 20 damaged elements, and how many there are.
void run_check(const std::filesystem::path& path, int threads);
// "val: 12 images, 60 captions", then each decision that was taken.
void print_split(const SplitTables& split);

}    // namespace blip

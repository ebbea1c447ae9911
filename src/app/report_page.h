// One page of HTML that shows runs: what they are, their curves, times, scores, and pictures with captions. Called by
// the verb report, and by the verb train after each evaluation.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "blip/data/packed/dataset.h"

namespace blip {

// runs: their folders. dataset: what they were trained on, or nullptr: no pictures then. pictures: of each kind (best,
// median, worst by CIDEr, changed most). Of several runs, the scores
// of each one's best epoch have 95 % intervals where the data that it was trained on are there; else the page and a
// warning say why not. The page needs nothing but itself, and no text of it can become HTML. Errors: missing_input, io;
// bad_data naming the file.
std::string report_page(const std::vector<std::filesystem::path>& runs, const PackedDataset* dataset, int pictures);

// The packed file that the run's log names; empty if it names none.
std::filesystem::path data_of_run(const std::filesystem::path& run);

}    // namespace blip

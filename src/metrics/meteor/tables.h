// Compiles METEOR's text tables into an index. Called by meteor_data. Internal to the metrics layer.
#pragma once

#include <filesystem>

#include "src/metrics/meteor/index.h"

namespace blip {

inline constexpr const char* meteor_table_names[] = {"english.words", "english.synsets", "english.exceptions",
                                                     "paraphrase-en.gz"};

// Errors: missing_input for an absent table, bad_data for one that is not of its form, naming the file and the line.
IndexImage compile_meteor_tables(const std::filesystem::path& dir);

}    // namespace blip

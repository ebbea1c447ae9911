// What a dry run asks of --output. Used by the verbs train and evaluate.
#pragma once

#include <filesystem>

namespace blip {

// Throws io, naming --output, unless folders and files can be made there: tries it, and removes what it made.
void try_output(const std::filesystem::path& output);

}    // namespace blip

// The check of a shard's file against what the manifest says. Internal to the checkpoint layer.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "blip/checkpoint/manifest.h"

namespace blip {

// What is wrong with directory/shard.name ("NAME is missing", "... was N bytes, is M", "... is damaged"); empty if it
// is whole. Reads the file once.
std::optional<std::string> shard_problem(const std::filesystem::path& directory, const ShardFile& shard);

}    // namespace blip

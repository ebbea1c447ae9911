// Whether a shard on disk is the one its manifest lists. Internal to the checkpoint layer: resume, --init, verify.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "blip/checkpoint/manifest.h"

namespace blip {

// What is wrong with the shard's size, if it can be opened at all; nullopt if it fits.
std::optional<std::string> shard_size_problem(const std::filesystem::path& directory, const ShardFile& shard);
// What is wrong with size or digest; nullopt if it is whole. Reads the file once.
std::optional<std::string> shard_problem(const std::filesystem::path& directory, const ShardFile& shard);

}    // namespace blip

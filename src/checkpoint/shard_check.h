// Whether a shard on disk is the one its manifest lists. Internal to the checkpoint layer: resume, --init, verify.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "blip/checkpoint/manifest.h"

namespace blip {

// What is wrong with the shard: missing, or of another size; nullopt if it fits. Errors: io.
std::optional<std::string> shard_size_problem(const std::filesystem::path& directory, const ShardFile& shard);
// The same, or another digest; nullopt if it is whole. Reads the file once. Errors: io, which says nothing of the
// shard.
std::optional<std::string> shard_problem(const std::filesystem::path& directory, const ShardFile& shard);

}    // namespace blip

// xxh3-64 of a stream, and the check of a file against what the manifest says. Internal to the checkpoint layer.
#pragma once

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "blip/checkpoint/manifest.h"

namespace blip {

class Digest {
  public:
    Digest() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }
    void add(std::span<const std::byte> bytes) { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
    // 16 hex digits of everything added so far
    std::string hex() const;

  private:
    struct Free {
        void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
    };
    std::unique_ptr<XXH3_state_t, Free> state_;
};

std::string digest_of(std::string_view text);

// What is wrong with directory/shard.name ("NAME is missing", "... was N bytes, is M", "... is damaged"); empty if it
// is whole. Reads the file once.
std::optional<std::string> shard_problem(const std::filesystem::path& directory, const ShardFile& shard);

}    // namespace blip

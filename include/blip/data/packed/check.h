// Verifies every element of a packed file on all cores. Called by coco_pack --check.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace blip {

struct PackedCheck {
    std::int64_t images = 0, captions = 0;    // verified, over all splits
    std::uint64_t pixel_bytes = 0;
    std::int64_t damaged = 0;             // elements that differ from their digest
    std::vector<std::string> messages;    // of the first 20, in the file's order
};

// Reads everything and compares every digest. progress(done, total) counts images; called from any thread, one at a
// time, and may throw to stop. Throws bad_data where the tables themselves are unusable, missing_input, io.
PackedCheck check_packed_file(const std::filesystem::path& path, int threads,
                              const std::function<void(std::int64_t, std::int64_t)>& progress);

}    // namespace blip

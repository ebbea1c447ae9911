// Names and life cycle of checkpoint directories: checkpoints/step-00000120, and step-00000120.1 when that step is
// saved again (the first one stands until the second is complete). A directory counts once it has a manifest; its
// manifest goes first when it is removed. Internal to the checkpoint layer.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace blip {

inline constexpr const char* kManifestName = "manifest.json";

struct StepDirectory {
    std::int64_t step = 0;
    int repeat = 0;    // how often this step was saved before
    std::filesystem::path path;
    bool has_manifest = false;

    auto order() const { return std::pair(step, repeat); }
};

// Errors: io where that cannot be told.
bool is_there(const std::filesystem::path& path);
std::filesystem::path checkpoints_directory(const std::filesystem::path& run_directory);
std::string shard_name(int rank, int world_size);

// Newest first. Other files and folders are left out; an absent directory is empty. Errors: io.
std::vector<StepDirectory> list_steps(const std::filesystem::path& checkpoints);
// The text of a manifest, unchecked. Errors: missing_input; bad_data, if it cannot be one; io.
std::string read_manifest_text(const std::filesystem::path& path);
// A directory for this step that does not exist yet.
StepDirectory new_step_directory(const std::filesystem::path& checkpoints, std::int64_t step);
// Manifest first, so that an interrupted removal leaves nothing that looks valid. Failures are warnings.
void remove_step(const StepDirectory& directory);
// Directories without a manifest, named as they go: saves that were interrupted.
void remove_unfinished(const std::filesystem::path& checkpoints);
// What goes after `newest` was published: all but the `keep` newest up to it. What stands beyond it was passed over on
// resume (damaged), and what it repeats is superseded: both go. Errors: io.
std::vector<StepDirectory> steps_to_remove(const std::filesystem::path& checkpoints, const StepDirectory& newest,
                                           int keep);

}    // namespace blip

// What --init names, as one table of tensors: our checkpoint, run folder or best/, or weights of others. Internal to
// the checkpoint layer.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "blip/checkpoint/checkpoints.h"
#include "blip/weights/weight_file.h"

namespace blip {

// Exactly one of file and checkpoint is set.
struct InitSource {
    std::unique_ptr<WeightFile> file;
    std::filesystem::path folder;    // that the file lies in
    std::optional<FoundCheckpoint> checkpoint;

    // file was written by save_model, and says so itself
    bool is_ours() const;
    // The model configuration that goes with file: its own metadata's if it is ours, else the config.json beside it;
    // empty if there is none.
    std::string config() const;
};

// Throws missing_input: nothing there, or a folder without weights; bad_data: damaged.
InitSource open_init(const std::filesystem::path& init);

// A digest of the names and bytes of all tensors in the order of their names, as save_model notes it: a flipped byte
// must not become a caption. Throws bad_data if file is ours and has another.
void check_own_digest(const InitSource& source);

}    // namespace blip

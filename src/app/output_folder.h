// What is tried in --output and leaves nothing. Used by the dry runs of train and evaluate, and by check.
#pragma once

#include <filesystem>

namespace blip {

// A folder of its own below --output, with which goes what was made on the way to it.
class TrialFolder {
  public:
    // Throws io, naming --output.
    explicit TrialFolder(const std::filesystem::path& output);
    ~TrialFolder();
    TrialFolder(const TrialFolder&) = delete;
    TrialFolder& operator=(const TrialFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }

  private:
    void remove();

    std::filesystem::path path_;
    std::filesystem::path first_made_;    // the topmost of the folders that were not there
};

// Throws io, naming --output, unless folders and files can be made there.
void try_output(const std::filesystem::path& output);
// Makes the folder; throws io, naming --output.
void make_output(const std::filesystem::path& output);

}    // namespace blip

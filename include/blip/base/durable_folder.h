// Folders that are either wholly there or not there at all: filled under a temporary name beside the final one, then
// renamed. Used by the export of models.
#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace blip {

// Errors: Error(io) naming the folder and errno's text.
class DurableFolder {
  public:
    // Creates path + ".tmp.<pid>", empty. The parent directory must exist.
    explicit DurableFolder(std::filesystem::path path);
    DurableFolder(const DurableFolder&) = delete;
    DurableFolder& operator=(const DurableFolder&) = delete;
    ~DurableFolder();    // removes the temporary folder unless committed

    // Where the content goes; the files in it must be durable themselves (DurableFile).
    const std::filesystem::path& temporary_path() const { return temporary_; }
    // Takes the final name, durably. A folder that has this name is replaced: at no time is there none or a mixed one
    // (on a file system that cannot exchange names, for a moment none).
    void commit();

  private:
    std::filesystem::path path_;
    std::filesystem::path temporary_;
    bool committed_ = false;
};

// The first entry of a folder that is neither a regular file nor named so; empty if there is none. What is safe to
// replace.
std::string first_foreign_entry(const std::filesystem::path& folder, const std::set<std::string>& own_names);

}    // namespace blip

// METEOR's compiled tables in the user's cache: an index for each set of tables, named by their digest, and beside it
// notes of what was found whole, so that a start reads neither the tables nor all of the index. Used by meteor_data.
// Internal to the metrics layer.
#pragma once

#include <filesystem>
#include <optional>

#include "src/metrics/meteor/index.h"

namespace blip {

class MeteorCache {
  public:
    // tables: the files that an index is compiled from. Errors: missing_input naming the absent one.
    explicit MeteorCache(std::vector<std::filesystem::path> tables);

    // The stored index of these tables; nullopt if there is none, or none to be trusted (then it warns): damaged, of
    // another form, owned by another user or writable for others.
    std::optional<MeteorIndex> open();
    // Stores it under its name at once, so that any number of processes may do the same. Where that cannot be, warns.
    void store(const IndexImage& image);

  private:
    std::filesystem::path index_file() const;
    std::filesystem::path note_file() const;
    std::string tables_digest() const;
    void remove_leftovers() const;

    std::vector<std::filesystem::path> tables_;
    std::string table_facts_;    // sizes and times: unlike the digest they are had without reading
    std::filesystem::path folder_;
    std::string digest_;    // of the tables' content, once it is known
};

// $XDG_CACHE_HOME, else ~/.cache, else the system's folder for temporary files.
std::filesystem::path user_cache();

}    // namespace blip

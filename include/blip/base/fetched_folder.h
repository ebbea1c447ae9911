// Where env/setup.sh puts what it fetches, and programs what they keep for later runs of this user.
#pragma once

#include <filesystem>

namespace blip {

// $BLIP_DEPS, else ~/.cache/blip_mpi. Set-up knows nothing of XDG_CACHE_HOME.
std::filesystem::path fetched_folder();

}    // namespace blip

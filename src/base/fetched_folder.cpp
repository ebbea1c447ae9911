// See the header.
#include "blip/base/fetched_folder.h"

#include <cstdlib>

namespace blip {

std::filesystem::path fetched_folder() {
    const char *given = std::getenv("BLIP_DEPS"), *home = std::getenv("HOME");
    if (given != nullptr && *given != '\0') return given;
    return std::filesystem::path(home != nullptr ? home : "") / ".cache" / "blip_mpi";
}

}    // namespace blip

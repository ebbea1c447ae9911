// See vocabulary_file.h.
#include "src/app/vocabulary_file.h"

#include <fmt/format.h>

#include <vector>

#include "blip/base/error.h"

namespace blip {

namespace fs = std::filesystem;

fs::path find_vocabulary(const fs::path& init) {
    const fs::path folder = fs::is_directory(init) ? init : init.parent_path();
    const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
    constexpr const char* own = "bert-base-uncased-vocab.txt";
    std::vector<fs::path> places = {program / "../share/blip_mpi" / own, program / "../../data_prep" / own};
    if (!init.empty()) places.insert(places.begin(), {folder / "vocab.txt", folder / "best" / "vocab.txt"});
    for (const fs::path& place : places)
        if (fs::exists(place)) return place;
    throw Error(ExitCode::missing_input,
                fmt::format("no vocabulary: put the BERT vocabulary at {}", places.front().string()));
}

}    // namespace blip

// blip_mpi_score: the verb `score` alone, without LibTorch and MPI, whose start would take longer than the scores of
// some thousand captions. `blip_mpi score` becomes this program; people may also call it by itself.
#include <string>

#include "blip/base/version.h"
#include "src/app/standalone.h"
#include "src/app/verbs/verbs.h"

int main(int argc, char** argv) {
    blip::open_standard_streams();
    return blip::run_alone([&] {
        std::vector<std::string> words(argv + 1, argv + argc);
        if (!words.empty() && words.front() == "score") words.erase(words.begin());    // as blip_mpi was called
        return blip::print_version(blip::score_program, words) ? blip::ExitCode::ok : blip::run_score(words);
    });
}

// blip_mpi_score: the verb `score` alone, without LibTorch and MPI, whose start would take longer than the scores of
// some thousand captions. `blip_mpi score` becomes this program; people may also call it by itself.
#include <string_view>

#include "src/app/standalone.h"
#include "src/app/verbs/verbs.h"

int main(int argc, char** argv) {
    blip::open_standard_streams();
    const int verb = argc > 1 && std::string_view(argv[1]) == "score" ? 1 : 0;    // as blip_mpi was called
    return blip::run_alone([&] { return blip::run_score({argv + 1 + verb, argv + argc}); });
}

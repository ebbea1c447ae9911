// What the program would make of run folders: reads their paths from standard input, a line each, and answers each with
// a line on standard output, in JSON:
//     {"step": newest checkpoint (null: there is none)} or {"error": why it refuses}, and beside it
//     "best": the epoch whose weights best/ holds (null: there is none), or "best_error": why it does not load
// Every digest is verified, as at the start of a run. Called by power_loss.py and the scripts of tests/faults.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/checkpoint/init.h"
#include "blip/model/captioner.h"
#include "tests/support/self_communicator.h"

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// The note of weights that load whole.
json load_weights(const fs::path& path) {
    const blip::Captioner captioner(blip::read_model_options(path));
    blip::Arena arena = blip::weights_only_arena(captioner.layout());
    blip::load_model(path, arena);
    return json::parse(blip::read_model_note(path));
}

json examine(const fs::path& run) {
    json answer;
    blip::test::SelfCommunicator alone;
    try {
        const auto found = blip::find_newest_checkpoint(run, alone);
        answer["step"] = found ? json(found->manifest.state.global_step) : json();
    } catch (const std::exception& refusal) {
        answer["error"] = refusal.what();
    }
    try {
        answer["best"] =
            fs::exists(run / "best" / "model.safetensors") ? load_weights(run / "best").at("epoch") : json();
    } catch (const std::exception& refusal) {
        answer["best_error"] = refusal.what();
    }
    return answer;
}

}    // namespace

int main() {
    blip::init_log(0);
    for (std::string line; std::getline(std::cin, line);) std::cout << examine(line).dump() << std::endl;
}

// blip_mpi_score: the verb `score` alone, without LibTorch and MPI, whose start would take longer than the scores of
// some thousand captions. `blip_mpi score` becomes this program; people may also call it by itself.
#include <string>
#include <vector>

#include "blip/base/log.h"
#include "blip/base/version.h"
#include "blip/options/parse.h"
#include "src/app/score/requests.h"
#include "src/app/standalone.h"
#include "src/app/verbs/verbs.h"

int main(int argc, char** argv) {
    blip::open_standard_streams();
    return blip::run_alone([&] {
        std::vector<std::string> words(argv + 1, argv + argc);
        if (blip::print_version(blip::score_program, words)) return blip::ExitCode::ok;
        if (words.size() == 1 && words.front() == "requests") return blip::answer_requests();
        if (words.empty() || (words.front() != "score" && words.front() != "help"))
            words.insert(words.begin(), "score");    // called by itself
        const blip::ParsedCommandLine command = blip::parse_command_line(words);
        if (blip::answer(command)) return blip::ExitCode::ok;
        for (const std::string& note : command.notes) blip::log_info_text(note);
        // it reads packed data sets, and has CLIP's model
        const auto become_larger = [&] [[noreturn]] { blip::become(blip::cpu_program, words); };
        if (!command.options.score.clip.empty()) become_larger();
        return blip::run_score(
            command.options, [&](const blip::ScoreOptions&) -> std::vector<blip::ImageReferences> { become_larger(); },
            {});
    });
}

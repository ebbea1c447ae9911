// blip_mpi_score: the verb `score` alone, without LibTorch and MPI, whose start would take longer than the scores of
// some thousand captions. `blip_mpi score` becomes this program; people may also call it by itself.
#include <string>
#include <string_view>
#include <vector>

#include "blip/base/log.h"
#include "blip/base/standard_output.h"
#include "blip/options/parse.h"
#include "src/app/standalone.h"
#include "src/app/verbs/verbs.h"

int main(int argc, char** argv) {
    blip::open_standard_streams();
    std::vector<std::string> words(argv + 1, argv + argc);
    if (words.empty() || (words.front() != "score" && words.front() != "help"))
        words.insert(words.begin(), "score");    // called by itself
    return blip::run_alone([&] {
        const blip::ParsedCommandLine command = blip::parse_command_line(words);
        if (command.help) {
            blip::write_standard_output(blip::help_text(command), "help");
            return blip::ExitCode::ok;
        }
        for (const std::string& note : command.notes) blip::log_info_text(note);
        return blip::run_score(command.options);
    });
}

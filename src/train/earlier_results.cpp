// See earlier_results.h.
#include "src/train/earlier_results.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/comm/run_together.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// The log outlives checkpoints that were moved away or lost.
struct Told {
    bool run = false, checkpoints = false;
};
Told told_by(const fs::path& log) {
    Told told;
    if (file_type_of(log) != fs::file_type::regular) return told;
    std::ifstream lines(log);
    if (!lines) throw Error(ExitCode::io, "cannot read {}: {}", log.string(), std::strerror(errno));
    for (std::string line; !told.checkpoints && std::getline(lines, line);) {
        told.run = told.run || line.starts_with(R"({"kind":"run")");
        told.checkpoints =
            line.starts_with(R"({"kind":"checkpoint")") && line.find(R"("saved":true)") != std::string::npos;
    }
    return told;
}

// A full disk may have left the folder empty.
bool holds_evaluations(const fs::path& folder) {
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error))
        if (entries->path().extension() == ".json") return true;
    if (error) throw Error(ExitCode::io, "cannot read {}: {}", folder.string(), error.message());
    return false;
}

}    // namespace

void refuse_earlier_results(const fs::path& output, HostMessages& communicator) {
    run_on_first_rank(communicator, [&] {
        const auto is_folder = [](const fs::path& path) { return file_type_of(path) == fs::file_type::directory; };
        const fs::path best = output / "best", evaluations = output / "evaluations";
        std::vector<std::string> left;
        if (is_folder(best) && file_type_of(best / "model.safetensors") == fs::file_type::regular)
            left.emplace_back("best/");
        if (is_folder(evaluations) && holds_evaluations(evaluations)) left.emplace_back("evaluations/");
        const Told told = told_by(output / "log.jsonl");
        if (!left.empty() && told.run && !told.checkpoints)
            throw Error(ExitCode::bad_data,
                        "{0} holds results of a run that wrote no checkpoint to go on from: to start over, move {1} "
                        "away, or give another --output",
                        output.string(), fmt::join(left, " and "));
        if (told.checkpoints) left.emplace_back("log.jsonl, which tells of checkpoints");
        if (!left.empty())
            throw Error(ExitCode::bad_data,
                        "{} holds results of an earlier run ({}) but none of its checkpoints: put "
                        "checkpoints/ back to go on with it, or give another --output to start over",
                        output.string(), fmt::join(left, ", "));
        return std::string();
    });
}

void remove_half_written(const fs::path& output) {
    for (const char* folder : {"best", "evaluations"}) {
        std::error_code error;
        fs::directory_iterator entries(output / folder, error);
        for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
            const std::string name = entries->path().filename().string();
            const std::size_t mark = name.rfind(".tmp.");
            if (mark == std::string::npos || name.find_first_not_of("0123456789", mark + 5) != std::string::npos)
                continue;
            log_info("{} was being written when a job was killed: removed", entries->path().string());
            std::error_code ignored;
            fs::remove(entries->path(), ignored);
        }
    }
}

}    // namespace blip

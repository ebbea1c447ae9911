// blip_mpi status: how far a run is, as its folder tells. Called by compute_main; one process, no MPI.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "blip/base/printable.h"
#include "blip/base/standard_output.h"
#include "blip/checkpoint/run_lock.h"
#include "blip/report/progress.h"
#include "blip/report/run_folder.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"

namespace blip {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

double number(const json& record, const char* name) {
    const auto found = record.find(name);
    return found != record.end() && found->is_number() ? found->get<double>() : 0;
}

// "2 min 05 s ago"; time: as log.jsonl has it, UTC.
std::string ago(const json& record) {
    const double time = time_of(record);
    if (time == 0) return "";
    return format_duration(std::max(0.0, static_cast<double>(std::time(nullptr)) - time)) + " ago";
}

std::string describe_state(const RunRecords& records, const fs::path& folder) {
    const LockLook lock = look_at_lock(folder);
    if (!lock.holder.empty() && lock.lives) return "running: " + lock.holder;
    if (const json* stop = end_of_run(records); stop != nullptr)
        return fmt::format("{}, {}", stop->value("finished", false) ? "finished" : "stopped by a signal", ago(*stop));
    return lock.holder.empty() ? "not running" : fmt::format("killed: {} is no more", lock.holder);
}

// The last line of the log for people that is a warning or an error, in its last mebibyte.
std::string last_warning(const fs::path& log) {
    std::ifstream file(log, std::ios::binary | std::ios::ate);
    if (!file) return "";
    const std::streamoff size = file.tellg();
    file.seekg(std::max<std::streamoff>(0, size - (1 << 20)));
    std::string last;
    for (std::string line; std::getline(file, line);)
        if (line.find(" warning: ") != std::string::npos || line.find(" error: ") != std::string::npos) last = line;
    return last;
}

std::string scores_of(const json& evaluation) {
    std::string text;
    const json splits = object_of(evaluation, "splits");
    for (const auto& [split, of_split] : splits.items()) {
        text += fmt::format("\n{:<12} epoch {} {}:", "", evaluation.value("epoch", 0) + 1, split);
        for (const auto& [name, value] : numbers_of(of_split, "scores"))
            text += fmt::format("  {} {:.4f}", name, value);
    }
    return text.empty() ? "none" : text.substr(text.find_first_not_of("\n "));
}

std::string screen(const fs::path& folder) {
    const RunRecords records = read_run(folder);
    std::string text;
    const auto line = [&](const char* name, const std::string& value) {
        text += fmt::format("{:<12} {}\n", name, printable(value, LineEnds::stay));
    };
    line("run", fs::absolute(folder).lexically_normal().string());
    line("state", describe_state(records, folder));
    const json* start = newest_start(records);
    if (!records.steps.empty()) {
        const json& last = records.steps.back();
        const std::size_t recent = std::min<std::size_t>(records.steps.size(), 20);
        std::vector<double> times_ms;
        for (auto step = records.steps.end() - static_cast<std::ptrdiff_t>(recent); step != records.steps.end(); ++step)
            times_ms.push_back(number(*step, "step_ms"));
        std::nth_element(times_ms.begin(), times_ms.begin() + static_cast<std::ptrdiff_t>(recent / 2), times_ms.end());
        const double step_s = times_ms[recent / 2] / 1000, all = start == nullptr ? 0 : number(*start, "last_step");
        const double done = number(last, "step");
        const std::string of =
            all > 0 && all >= done
                ? fmt::format(" of {:.0f}, {}", all,
                              format_percent(static_cast<std::int64_t>(done), static_cast<std::int64_t>(all)))
                : "";
        line("step", fmt::format("{:.0f}{}, epoch {:.0f}, {}", done, of, number(last, "epoch") + 1, ago(last)));
        line("loss", fmt::format("{:.4f}, gradient norm {:.3f}, learning rate {:.3g}", number(last, "loss"),
                                 number(last, "gradient_norm"), number(last, "lr")));
        if (step_s > 0)
            line("speed", fmt::format("{:.1f} pairs/s, {:.3f} s a step{}", number(last, "samples") / step_s, step_s,
                                      all > done ? ", ETA " + format_duration((all - done) * step_s) : ""));
    } else {
        line("step", "none yet");
    }
    const auto saved = std::find_if(records.events.rbegin(), records.events.rend(), [](const json& event) {
        return event.value("kind", "") == "checkpoint" && event.value("saved", false);
    });
    line("checkpoint", saved == records.events.rend()
                           ? "none yet"
                           : fmt::format("after step {:.0f}, {}", number(*saved, "step"), ago(*saved)));
    const json* evaluation = newest(records, "evaluation");
    line("scores", evaluation == nullptr ? "none yet" : scores_of(*evaluation));
    if (const std::string warning = last_warning(folder / "log.txt"); !warning.empty()) line("last warning", warning);
    return text;
}

}    // namespace

ExitCode run_status(const ShowOptions& options) {
    let_signals_end_process();
    while (true) {
        const std::string text = screen(options.runs.front());
        write_standard_output(options.watch ? "\x1b[H\x1b[2J" + text : text, "the run's status");
        if (!options.watch) return ExitCode::ok;
        std::this_thread::sleep_for(std::chrono::seconds(2));
    }
}

}    // namespace blip

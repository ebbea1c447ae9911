// Parts of the verb check: a data set, drawn and packed, and 20 steps of training on it. See parts.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/comm/run_together.h"
#include "blip/data/packed/dataset.h"
#include "blip/options/model_shape.h"
#include "blip/options/parse.h"
#include "blip/report/run_folder.h"
#include "blip/tasks/caption/task.h"
#include "blip/train/trainer.h"
#include "src/app/check/parts.h"
#include "src/app/standalone.h"
#include "src/app/startup.h"

extern char** environ;

namespace blip {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int pictures = 128, check_steps = 20, check_batch = 32;    // five captions each: one epoch

// Losses of the first and the last step, measured in fp32 on one rank of a CPU with AVX-512. On two and three ranks the
// last one is within 1e-6, in bf16 within 1.1e-3; pictures of another seed move it by 0.07. Which samples are taken
// and what dropout leaves out depends on neither ranks nor device; what else differs is rounding.
constexpr double known_first = 10.40705, known_last = 6.32546;
constexpr double fp32_tolerance = 2e-3, bf16_tolerance = 2e-2;

fs::path packed_file(const fs::path& folder) { return folder / "sample.h5"; }

// Runs a program beside this one to its end. Returns what went wrong, or nothing.
std::string run_beside(const char* name, std::vector<std::string> words, const fs::path& log) {
    const std::string program = program_beside(name).string();
    words.insert(words.begin(), program);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
    // It must not inherit which signals are blocked here (install_stop_signals).
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t child = 0;
    const int problem = ::posix_spawn(&child, program.c_str(), &actions, &attributes, arguments.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (problem != 0) return fmt::format("{} cannot be started: {}", program, std::strerror(problem));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "";
    std::string said = read_file(log);
    said = said.substr(0, said.find_last_not_of('\n') + 1);
    return fmt::format("{} failed: {}", name, said.substr(said.rfind('\n') + 1));
}

Options options_of_check(const CheckPlace& place) {
    Options options = place.options;
    options.verb = Verb::train;
    options.data.file = packed_file(place.folder);
    options.data.loader_threads = 1;
    options.checkpoint.output = place.folder / "run";
    options.checkpoint.every_minutes = 0;
    options.checkpoint.keep = 1;
    options.model = model_preset("tiny");
    options.loss.drop_path = preset_drop_path("tiny");
    options.augment.enabled = false;
    options.optim.init_lr = 1e-3;
    options.train.epochs = 1;
    options.train.global_batch = check_batch;
    options.train.micro_batch = check_batch;
    while (options.train.micro_batch > 1 && check_batch / options.train.micro_batch < place.messages.size())
        options.train.micro_batch /= 2;
    options.train.evaluate = options.train.report = false;
    options.runtime.progress = options.runtime.peak = false;
    return options;
}

// Every picture and caption of the drawn data set against its digest.
json check_packed(const CheckPlace& place) {
    const PackedDataset dataset = PackedDataset::open(packed_file(place.folder));
    std::int64_t images = 0, captions = 0;
    for (const SplitTables& split : dataset.splits()) {
        for (std::int64_t row = 0; row < split.image_count(); ++row) dataset.read_image(split, row);
        for (std::int64_t row = 0; row < split.caption_count(); ++row) dataset.verify_caption(split, row);
        images += split.image_count();
        captions += split.caption_count();
    }
    return {{"images", images}, {"captions", captions}, {"digest", dataset.data_digest()}};
}

std::string tell_packed(const std::vector<json>& ranks) {
    for (const json& rank : ranks)
        if (rank.at("digest") != ranks[0].at("digest"))
            throw Error(ExitCode::bad_data, "ranks see different files: --output must be the same folder on all hosts");
    return fmt::format("{} drawn, packed by HDF5 and read with all digests, {}",
                       counted(ranks[0].at("images"), "picture"), counted(ranks[0].at("captions"), "caption"));
}

// 20 steps of the tiny preset on it, on all ranks, and their first and last loss, which are known.
json check_training(const CheckPlace& place) {
    const QuietLog quiet;
    const Options options = options_of_check(place);
    const PackedDataset dataset = PackedDataset::open(options.data.file);
    run_together(place.messages, [&] {
        if (place.messages.rank() == 0) make_folders(options.checkpoint.output);
    });
    const CaptionTask captioning(options, dataset, place.messages);
    const double seconds = seconds_of([&] {
        Trainer(options, print_config(options), dataset, captioning.task(), place.placement, place.messages,
                place.collectives, stop_requested)
            .run();
    });
    if (place.messages.rank() != 0) return json::object();
    const RunRecords records = read_run(options.checkpoint.output);
    if (records.steps.size() != check_steps)
        throw Error(ExitCode::internal, "training took {} steps instead of {}", records.steps.size(), check_steps);
    return {{"first", records.steps.front().at("loss")},
            {"last", records.steps.back().at("loss")},
            {"seconds", seconds},
            {"tolerance", place.placement.dtype == at::kBFloat16 ? bf16_tolerance : fp32_tolerance}};
}

std::string tell_training(const std::vector<json>& ranks) {
    const double first = ranks[0].at("first"), last = ranks[0].at("last"), tolerance = ranks[0].at("tolerance");
    const std::string found = fmt::format("{} steps with losses from {:.4f} to {:.4f}", check_steps, first, last);
    // not a number is neither near nor far
    if (!(std::abs(first - known_first) <= tolerance) || !(std::abs(last - known_last) <= tolerance))
        throw Error(ExitCode::internal, "{}; they must be {:.4f} and {:.4f}, within {}", found, known_first, known_last,
                    tolerance);
    return fmt::format("{}, as they must be, and a checkpoint; {:.1f} s", found, ranks[0].at("seconds").get<double>());
}

}    // namespace

std::vector<CheckPart> training_parts() {
    return {{"packed file", check_packed, tell_packed}, {"training", check_training, tell_training}};
}

std::string draw_check_data(const fs::path& folder) {
    const fs::path log = folder / "drawing.log", tree = folder / "coco";
    const std::string problem = run_beside(
        "make_sample", {"--out", tree, "--train", std::to_string(pictures), "--val", "2", "--test", "2"}, log);
    return problem.empty() ? run_beside(pack_program, {"--coco", tree, "--out", packed_file(folder)}, log) : problem;
}

}    // namespace blip

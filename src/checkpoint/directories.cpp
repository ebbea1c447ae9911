// See directories.h.
#include "src/checkpoint/directories.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <system_error>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/base/number.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

// step-00000120 or step-00000120.1
std::optional<StepDirectory> parse_name(const std::string& name) {
    constexpr std::string_view kPrefix = "step-";
    std::string_view rest = name;
    if (!rest.starts_with(kPrefix)) return std::nullopt;
    rest.remove_prefix(kPrefix.size());
    StepDirectory directory;
    const std::size_t dot = rest.find('.');
    directory.step = number_in<decltype(directory.step)>(rest.substr(0, dot)).value_or(-1);
    if (dot != std::string_view::npos)
        directory.repeat = number_in<decltype(directory.repeat)>(rest.substr(dot + 1)).value_or(-1);
    if (rest.substr(0, dot).size() < 8 || directory.step < 0 || directory.repeat < 0) return std::nullopt;
    return directory;
}

}    // namespace

bool is_there(const fs::path& path) { return file_type_of(path) != fs::file_type::not_found; }

fs::path checkpoints_directory(const fs::path& run_directory) { return run_directory / "checkpoints"; }

std::string shard_name(int rank, int world_size) {
    return fmt::format("shard-{:05}-of-{:05}.safetensors", rank, world_size);
}

std::vector<StepDirectory> list_steps(const fs::path& checkpoints) {
    std::vector<StepDirectory> found;
    if (!is_there(checkpoints)) return found;
    std::error_code error;
    fs::directory_iterator entries(checkpoints, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
        std::optional<StepDirectory> directory = parse_name(entries->path().filename().string());
        if (!directory || file_type_of(entries->path()) != fs::file_type::directory) continue;
        directory->path = entries->path();
        directory->has_manifest = is_there(entries->path() / kManifestName);
        found.push_back(*directory);
    }
    if (error) throw Error(ExitCode::io, "cannot list {}: {}", checkpoints.string(), error.message());
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.order() > b.order(); });
    return found;
}

std::string read_manifest_text(const fs::path& path) {
    constexpr std::size_t kMaxBytes = std::size_t{64} << 20;    // some 500,000 ranks
    return read_regular_file(path, kMaxBytes);
}

StepDirectory new_step_directory(const fs::path& checkpoints, std::int64_t step) {
    StepDirectory directory;
    directory.step = step;
    for (const StepDirectory& other : list_steps(checkpoints)) {
        if (other.step == step) directory.repeat = std::max(directory.repeat, other.repeat + 1);
    }
    directory.path = checkpoints / (directory.repeat == 0 ? fmt::format("step-{:08}", step)
                                                          : fmt::format("step-{:08}.{}", step, directory.repeat));
    return directory;
}

void remove_step(const StepDirectory& directory) {
    std::error_code error;
    if (fs::remove(directory.path / kManifestName, error)) {
        try {
            sync_directory(directory.path);
        } catch (const Error& failure) {
            log_warning("{}", failure.what());
        }
    }
    if (!error) fs::remove_all(directory.path, error);
    if (error) log_warning("cannot remove the old checkpoint {}: {}", directory.path.string(), error.message());
}

void remove_unfinished(const fs::path& checkpoints) {
    for (const StepDirectory& directory : list_steps(checkpoints)) {
        if (directory.has_manifest) continue;
        log_info("{} has no {}, as an interrupted save leaves it: removed", directory.path.string(), kManifestName);
        remove_step(directory);
    }
}

std::vector<StepDirectory> steps_to_remove(const fs::path& checkpoints, const StepDirectory& newest, int keep) {
    std::vector<StepDirectory> old;
    int kept = 0;
    for (const StepDirectory& directory : list_steps(checkpoints)) {
        const bool beyond = directory.order() > newest.order();
        const bool superseded = directory.step == newest.step && directory.order() < newest.order();
        const bool wanted = directory.has_manifest && !beyond && !superseded && kept < std::max(keep, 1);
        if (wanted) {
            ++kept;
        } else {
            old.push_back(directory);
        }
    }
    return old;
}

}    // namespace blip

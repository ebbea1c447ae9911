// See verify.h.
#include "blip/checkpoint/verify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/checkpoint/manifest.h"
#include "blip/weights/export.h"
#include "blip/weights/safetensors.h"
#include "src/checkpoint/directories.h"
#include "src/checkpoint/init_source.h"
#include "src/checkpoint/json_fields.h"
#include "src/checkpoint/shard_check.h"
#include "src/checkpoint/shard_pieces.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

// Of one kind ("master", ...) and parameter: element ranges by begin.
using Coverage = std::map<std::pair<std::string, std::string>, std::vector<Range>>;

// A shard of another step or rank may be whole and yet not this checkpoint's.
void check_belonging(const SafetensorsFile& shard, const Manifest& manifest, std::size_t rank) {
    const std::map<std::string, std::int64_t> expected = {{"rank", static_cast<std::int64_t>(rank)},
                                                          {"world_size", manifest.world_size},
                                                          {"step", manifest.state.global_step}};
    for (const auto& [name, value] : expected) {
        const auto found = shard.metadata().find(name);
        const std::string is = found == shard.metadata().end() ? "absent" : found->second;
        if (is != std::to_string(value))
            throw Error(ExitCode::bad_data, fmt::format("{} belongs to another checkpoint: its {} is {} instead of {}",
                                                        shard.path().filename().string(), name, is, value));
    }
}

void add_pieces(const SafetensorsFile& shard, Coverage& coverage) {
    for (const auto& [name, entry] : shard.entries()) {
        const std::optional<PieceName> piece = parse_piece_name(name);
        if (!piece || entry.dtype != "F32" || entry.shape != std::vector<std::int64_t>{piece->elements.length()})
            throw Error(ExitCode::bad_data,
                        fmt::format("{}: '{}' is no piece of a checkpoint", shard.path().filename().string(), name));
        coverage[{piece->kind, piece->param}].push_back(piece->elements);
    }
}

// What is wrong with the pieces of all shards together: each of master, exp_avg, exp_avg_sq must hold the same elements
// of the same parameters, each once, from the first on.
std::string coverage_problem(Coverage& coverage) {
    std::map<std::string, std::map<std::string, std::int64_t>> ends;    // by parameter, by kind
    for (auto& [key, ranges] : coverage) {
        const auto& [kind, param] = key;
        std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
        std::int64_t at = 0;
        for (const Range& range : ranges) {
            if (range.begin != at)
                return fmt::format("{} of '{}' has elements {}..{} {}", kind, param, std::min(at, range.begin),
                                   std::max(at, range.begin), range.begin < at ? "twice" : "nowhere");
            at = range.end;
        }
        ends[param][kind] = at;
    }
    if (ends.empty()) return "the shards hold no parameter";
    const std::set<std::string> kinds = {"master", "exp_avg", "exp_avg_sq"};
    for (const auto& [param, by_kind] : ends) {
        const bool complete = std::all_of(kinds.begin(), kinds.end(), [&](const std::string& kind) {
            const auto found = by_kind.find(kind);
            return found != by_kind.end() && found->second == by_kind.begin()->second;
        });
        if (!complete || by_kind.size() != kinds.size())
            return fmt::format("'{}' has not as many elements of master, exp_avg and exp_avg_sq", param);
    }
    return "";
}

std::vector<std::string> shard_problems(const fs::path& directory, const Manifest& manifest, bool deep) {
    std::vector<std::string> problems;
    Coverage coverage;
    for (std::size_t rank = 0; rank < manifest.shards.size(); ++rank) {
        const ShardFile& file = manifest.shards[rank];
        try {
            // The digest before the header: what it refuses needs no other reason.
            if (const auto problem = deep ? shard_problem(directory, file) : shard_size_problem(directory, file)) {
                problems.push_back(*problem);
                continue;
            }
            const SafetensorsFile shard = SafetensorsFile::open(directory / file.name);
            check_belonging(shard, manifest, rank);
            add_pieces(shard, coverage);
        } catch (const Error& failure) {
            problems.emplace_back(failure.what());
        }
    }
    if (problems.empty())
        if (std::string problem = coverage_problem(coverage); !problem.empty()) problems.push_back(std::move(problem));
    return problems;
}

VerifiedItem verify_checkpoint(const fs::path& directory, bool deep) {
    VerifiedItem item{directory, "checkpoint", VerifyState::good, "", -1, 0};
    const fs::path manifest_path = directory / kManifestName;
    std::vector<std::string> problems;
    try {
        const Manifest manifest = Manifest::from_json(read_manifest_text(manifest_path), manifest_path.string());
        item.step = manifest.state.global_step;
        for (const ShardFile& file : manifest.shards) item.bytes += file.bytes;
        item.text = fmt::format("after step {}, epoch {}, written by {} rank{}, {:.1f} MiB", manifest.state.global_step,
                                manifest.state.epoch, manifest.world_size, manifest.world_size == 1 ? "" : "s",
                                static_cast<double>(item.bytes) / (1 << 20));
        problems = shard_problems(directory, manifest, deep);
    } catch (const Error& failure) {
        problems.emplace_back(failure.what());
    }
    if (!problems.empty()) {
        item.state = VerifyState::bad;
        item.text = fmt::format("{}", fmt::join(problems, "; "));
    }
    if (!is_there(manifest_path)) {
        item.state = VerifyState::unfinished;
        item.text = "no manifest: an interrupted save or one that goes on, which no run will use";
    }
    return item;
}

// What is beside the weights must be what they say themselves.
void check_beside(const InitSource& source) {
    const fs::path config_path = source.folder / kConfigName;
    if (!is_there(config_path)) return;
    const auto own = source.file->metadata().find("config");
    const auto beside = parse_object(read_model_json(config_path), config_path.string());
    if (own != source.file->metadata().end() && beside != parse_object(own->second, source.file->path().string()))
        throw Error(ExitCode::bad_data, fmt::format("{} is not what {} says", config_path.string(), kWeightsName));
}

VerifiedItem verify_weights(const fs::path& path, bool deep) {
    VerifiedItem item{path, "weights", VerifyState::good, "", -1, 0};
    const fs::path file = is_folder(path) ? path / kWeightsName : path;
    if (!is_there(file)) {
        item.state = VerifyState::unfinished;
        item.text = fmt::format("no {} yet", kWeightsName);
        return item;
    }
    try {
        const InitSource source = open_init(file);
        item.bytes = fs::file_size(file);
        if (!source.is_ours() || !source.file->metadata().contains("xxh3"))
            throw Error(
                ExitCode::bad_data,
                fmt::format("{} is damaged, or was not written by blip_mpi: it carries no digest", file.string()));
        const auto config = parse_object(source.config(), file.string());
        model_from_json(field(config, "model", file.string()), file.string());
        if (is_folder(path)) check_beside(source);
        if (deep) check_own_digest(source);
        const auto note = config.value("note", nlohmann::json::object());
        if (note.is_object() && note.contains("step") && note["step"].is_number_integer()) item.step = note["step"];
        item.text = fmt::format("weights{}, {:.1f} MiB", item.step < 0 ? "" : fmt::format(" after step {}", item.step),
                                static_cast<double>(item.bytes) / (1 << 20));
    } catch (const std::exception& failure) {    // also of the file system, when the run replaces them meanwhile
        item.state = VerifyState::bad;
        item.text = failure.what();
    }
    return item;
}

}    // namespace

const char* to_text(VerifyState state) {
    switch (state) {
        case VerifyState::good:
            return "good";
        case VerifyState::bad:
            return "bad";
        case VerifyState::unfinished:
            break;
    }
    return "unfinished";
}

std::vector<VerifiedItem> verify_outputs(const fs::path& path, bool deep) {
    if (!is_there(path)) throw Error(ExitCode::missing_input, fmt::format("{}: no such file or folder", path.string()));
    if (!is_folder(path) || is_there(path / kWeightsName)) return {verify_weights(path, deep)};
    if (is_there(path / kManifestName)) return {verify_checkpoint(path, deep)};
    std::vector<VerifiedItem> items;
    const fs::path below = checkpoints_directory(path);
    for (const StepDirectory& step : list_steps(is_folder(below) ? below : path))
        items.push_back(verify_checkpoint(step.path, deep));
    if (is_folder(path / "best")) items.push_back(verify_weights(path / "best", deep));
    if (items.empty())
        throw Error(ExitCode::missing_input,
                    fmt::format("{} holds no checkpoint and no weights of a run", path.string()));
    return items;
}

}    // namespace blip

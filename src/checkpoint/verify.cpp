// See verify.h.
#include "blip/checkpoint/verify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "blip/checkpoint/manifest.h"
#include "blip/weights/export.h"
#include "src/checkpoint/directories.h"
#include "src/checkpoint/init/source.h"
#include "src/checkpoint/model_json.h"
#include "src/checkpoint/shard_check.h"
#include "src/checkpoint/shard_pieces.h"

namespace blip {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

// A shard of another step or rank may be whole and yet not this checkpoint's.
void check_belonging(const WeightFile& shard, const Manifest& manifest, std::size_t rank) {
    const std::map<std::string, std::int64_t> expected = {{"rank", static_cast<std::int64_t>(rank)},
                                                          {"world_size", manifest.world_size},
                                                          {"step", manifest.state.global_step}};
    for (const auto& [name, value] : expected) {
        const auto found = shard.metadata().find(name);
        const std::string is = found == shard.metadata().end() ? "absent" : found->second;
        if (is != std::to_string(value))
            throw Error(ExitCode::bad_data, "{} belongs to another checkpoint: its {} is {} instead of {}",
                        shard.path().filename().string(), name, is, value);
    }
}

std::vector<std::string> shard_problems(const fs::path& directory, const Manifest& manifest, bool deep) {
    std::vector<std::string> problems;
    ShardPieces pieces;
    for (std::size_t rank = 0; rank < manifest.shards.size(); ++rank) {
        const ShardFile& file = manifest.shards[rank];
        try {
            // The digest before the header: what it refuses needs no other reason.
            if (const auto problem = deep ? shard_problem(directory, file) : shard_size_problem(directory, file)) {
                problems.push_back(*problem);
                continue;
            }
            std::unique_ptr<WeightFile> shard = WeightFile::open(directory / file.name);
            check_belonging(*shard, manifest, rank);
            pieces.add(std::move(shard));
        } catch (const Error& failure) {
            problems.emplace_back(failure.what());
        }
    }
    if (!problems.empty()) return problems;
    try {
        pieces.check(directory);
    } catch (const Error& failure) {
        problems.emplace_back(failure.what());
    }
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
        item.text = fmt::format("after step {}, epoch {}, written by {}, {:.1f} MiB", manifest.state.global_step,
                                manifest.state.epochs_begun(), counted(manifest.world_size, "rank"),
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
        throw Error(ExitCode::bad_data, "{} is not what {} says", config_path.string(), kWeightsName);
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
            throw Error(ExitCode::bad_data, "{} is damaged, or was not written by blip_mpi: it carries no digest",
                        file.string());
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
    static constexpr const char* names[] = {"good", "bad", "unfinished"};
    return names[static_cast<std::size_t>(state)];
}

std::vector<VerifiedItem> verify_outputs(const fs::path& path, bool deep) {
    if (!is_there(path)) throw Error(ExitCode::missing_input, "{}: no such file or folder", path.string());
    if (!is_folder(path) || is_there(path / kWeightsName)) return {verify_weights(path, deep)};
    if (is_there(path / kManifestName)) return {verify_checkpoint(path, deep)};
    std::vector<VerifiedItem> items;
    const fs::path below = checkpoints_directory(path);
    for (const StepDirectory& step : list_steps(is_folder(below) ? below : path))
        items.push_back(verify_checkpoint(step.path, deep));
    if (is_folder(path / "best")) items.push_back(verify_weights(path / "best", deep));
    if (items.empty())
        throw Error(ExitCode::missing_input, "{} holds no checkpoint and no weights of a run", path.string());
    return items;
}

}    // namespace blip

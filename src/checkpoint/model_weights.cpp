// Weights and shape without training state, read: best/, single safetensors files, and the weights of a checkpoint.
// Called by every verb for --init. (Written by save_model.cpp.)
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/weights/export.h"
#include "src/checkpoint/directories.h"
#include "src/checkpoint/json_fields.h"
#include "src/checkpoint/shard_check.h"
#include "src/checkpoint/shard_pieces.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kWordEmbeddings = "text_decoder.bert.embeddings.word_embeddings.weight";

// The head's decoder is tied: files may hold either name or both.
const std::map<std::string, std::string> kTied = {
    {kWordEmbeddings, "text_decoder.cls.predictions.decoder.weight"},
    {"text_decoder.cls.predictions.bias", "text_decoder.cls.predictions.decoder.bias"},
};
constexpr const char* kPositionIds = "text_decoder.bert.embeddings.position_ids";

// What --init can be: exactly one of the two is set.
struct Source {
    fs::path weights;    // a safetensors file
    std::optional<FoundCheckpoint> checkpoint;
};

// Throws bad_data if the manifest or a shard is damaged.
FoundCheckpoint read_checkpoint(const fs::path& directory) {
    const fs::path path = directory / kManifestName;
    FoundCheckpoint found{directory, Manifest::from_json(read_file(path), path.string())};
    for (const ShardFile& shard : found.manifest.shards) {
        if (const auto problem = shard_problem(directory, shard)) {
            throw Error(ExitCode::bad_data, fmt::format("checkpoint {}: {}", directory.string(), *problem));
        }
    }
    return found;
}

std::optional<FoundCheckpoint> newest_whole(const fs::path& run_directory) {
    for (const StepDirectory& step : list_steps(checkpoints_directory(run_directory))) {
        if (!step.has_manifest) continue;
        try {
            return read_checkpoint(step.path);
        } catch (const Error& failure) {
            if (launcher_rank() == 0) log_warning("passed over: {}", failure.what());
        }
    }
    return std::nullopt;
}

Source resolve(const fs::path& init) {
    std::error_code ignored;
    if (!fs::exists(init, ignored))
        throw Error(ExitCode::missing_input, fmt::format("no such file or folder: {}", init.string()));
    if (!fs::is_directory(init, ignored)) return {init, {}};
    if (fs::exists(init / kManifestName, ignored)) return {"", read_checkpoint(init)};
    for (const fs::path& weights : {init / kWeightsName, init / "best" / kWeightsName}) {
        if (fs::exists(weights, ignored)) return {weights, {}};
    }
    if (auto found = newest_whole(init)) return {"", std::move(found)};
    throw Error(ExitCode::missing_input,
                fmt::format("{} holds no weights: neither {} nor {} nor best/ nor a complete checkpoint", init.string(),
                            kWeightsName, kManifestName));
}

// The metadata text of a file that we wrote; else the config.json beside it.
json read_config(const SafetensorsFile& file) {
    if (const auto own = file.metadata().find("config"); own != file.metadata().end()) {
        return parse_object(own->second, file.path().string());
    }
    const fs::path beside = file.path().parent_path() / kConfigName;
    std::error_code ignored;
    if (!fs::exists(beside, ignored)) {
        throw Error(
            ExitCode::missing_input,
            fmt::format("{} does not say the model's shape, and there is no {} beside it: give the shape by --model or "
                        "the options of its dimensions",
                        file.path().string(), kConfigName));
    }
    return parse_object(read_file(beside), beside.string());
}

void check_data_digest(const SafetensorsFile& file) {
    const auto expected = file.metadata().find("xxh3");
    const auto kind = file.metadata().find("kind");
    if (expected == file.metadata().end() || kind == file.metadata().end() || kind->second != kModelKind) return;
    std::vector<NamedTensor> tensors;
    for (const auto& [name, entry] : file.entries()) tensors.push_back({name, file.tensor(name)});
    if (weights_digest(std::move(tensors)) != expected->second) {
        throw Error(ExitCode::bad_data,
                    fmt::format("{} is damaged: its weights do not fit their digest", file.path().string()));
    }
}

// Entries of the file that are no parameter of ours, counted by the first part of their names.
void warn_of_extras(const SafetensorsFile& file, const std::set<std::string>& used) {
    std::map<std::string, int> by_prefix;
    for (const auto& [name, entry] : file.entries()) {
        const bool tied =
            std::any_of(kTied.begin(), kTied.end(), [&](const auto& pair) { return pair.second == name; });
        if (!used.contains(name) && !tied && name != kPositionIds) ++by_prefix[name.substr(0, name.find('.'))];
    }
    if (by_prefix.empty() || launcher_rank() != 0) return;
    std::vector<std::string> parts;
    for (const auto& [prefix, count] : by_prefix) parts.push_back(fmt::format("{} x {}", count, prefix));
    log_warning("{}: tensors that this model does not use: {}", file.path().string(), fmt::join(parts, ", "));
}

std::span<const float> floats_of(const at::Tensor& values) {
    return {static_cast<const float*>(values.const_data_ptr()), static_cast<std::size_t>(values.numel())};
}

void copy_from_file(const SafetensorsFile& file, const Arena& arena, const WeightSink& sink) {
    check_data_digest(file);
    std::set<std::string> used;
    std::vector<std::string> problems;
    std::vector<std::string> names;    // in the file, by parameter
    for (ParamId id = 0; id < arena.layout().count(); ++id) {
        const ParamSpec& spec = arena.layout().spec(id);
        auto found = file.entries().find(spec.name);
        if (const auto tied = kTied.find(spec.name); found == file.entries().end() && tied != kTied.end()) {
            found = file.entries().find(tied->second);
        }
        if (found == file.entries().end()) {
            problems.push_back(fmt::format("{} is missing", spec.name));
        } else if (found->second.shape != spec.shape) {
            problems.push_back(fmt::format("{} is [{}], needed [{}]", spec.name, fmt::join(found->second.shape, ", "),
                                           fmt::join(spec.shape, ", ")));
        } else {
            names.push_back(found->first);
            used.insert(found->first);
        }
    }
    if (!problems.empty()) {
        constexpr std::size_t kShown = 20;
        const std::size_t shown = std::min(kShown, problems.size());
        throw Error(
            ExitCode::bad_data,
            fmt::format("{} does not fit the model ({} of {} parameters): {}{}", file.path().string(), problems.size(),
                        arena.layout().count(),
                        fmt::join(problems.begin(), problems.begin() + static_cast<std::ptrdiff_t>(shown), "; "),
                        shown < problems.size() ? "; ..." : ""));
    }
    for (ParamId id = 0; id < arena.layout().count(); ++id) {
        const at::Tensor values = file.tensor(names[static_cast<std::size_t>(id)]).to(at::kFloat).contiguous();
        sink(arena.offset(id), floats_of(values));
    }
    warn_of_extras(file, used);
}

void load_into(const fs::path& init, const Arena& arena, const WeightSink& sink) {
    const Source source = resolve(init);
    if (!source.checkpoint) {
        copy_from_file(SafetensorsFile::open(source.weights), arena, sink);
        return;
    }
    const ShardPieces pieces(source.checkpoint->directory, source.checkpoint->manifest, arena.layout(), {"master"});
    for (const StoredPiece& piece : pieces.of("master"))
        sink(arena.offset(piece.param) + piece.elements.begin, floats_of(piece.values));
}

}    // namespace

ModelOptions read_model_options(const fs::path& init) {
    const Source source = resolve(init);
    if (source.checkpoint) return source.checkpoint->manifest.model;
    const SafetensorsFile file = SafetensorsFile::open(source.weights);
    const std::string origin = file.path().string();
    return model_from_json(field(read_config(file), "model", origin), origin);
}

void load_model(const fs::path& init, Arena& arena) {
    load_into(init, arena,
              [&](std::int64_t begin, std::span<const float> values) { arena.write_weights(begin, values); });
}

void load_model(const fs::path& init, const Arena& arena, ShardedAdamW& optimizer) {
    load_into(init, arena, optimizer.weight_sink());
}

}    // namespace blip

// See source.h.
#include "src/checkpoint/init/source.h"

#include <fmt/format.h>

#include <regex>

#include <algorithm>
#include <iterator>
#include <span>

#include "blip/base/digest.h"
#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/weights/export.h"
#include "src/checkpoint/directories.h"
#include "src/checkpoint/model_json.h"
#include "src/checkpoint/shard_check.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Throws bad_data if the manifest or a shard is damaged.
FoundCheckpoint read_checkpoint(const fs::path& directory) {
    const fs::path path = directory / kManifestName;
    FoundCheckpoint found{directory, Manifest::from_json(read_manifest_text(path), path.string())};
    for (const ShardFile& shard : found.manifest.shards) {
        if (const auto problem = shard_problem(directory, shard)) {
            throw Error(ExitCode::bad_data, "checkpoint {}: {}", directory.string(), *problem);
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

// What WeightFile::open looks for in a folder.
bool holds_weights(const fs::path& folder) {
    return std::any_of(std::begin(kWeightNames), std::end(kWeightNames),
                       [&](const char* name) { return is_there(folder / name); });
}

InitSource from_checkpoint(FoundCheckpoint found) {
    InitSource source;
    source.folder = found.directory;
    source.checkpoint = std::move(found);
    return source;
}

}    // namespace

bool InitSource::is_ours() const {
    if (!file) return false;
    const auto kind = file->metadata().find("kind");
    return kind != file->metadata().end() && kind->second == kModelKind;
}

std::string InitSource::config() const {
    if (is_ours()) {
        if (const auto own = file->metadata().find("config"); own != file->metadata().end()) return own->second;
    }
    const fs::path beside = folder / kConfigName;
    return is_there(beside) ? read_model_json(beside) : "";
}

namespace {

// People give what Hugging Face's tools take: the name of a model on the hub, or an address.
std::string describe_absent(const std::string& init) {
    static const std::regex hub_name("[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*");
    if (init.find("://") != std::string::npos) return "an address is not opened: download the file, and give its path";
    constexpr std::size_t longest = 200;    // more would take std::regex stack for each character
    if (init.size() <= longest && std::regex_match(init, hub_name) && !fs::path(init).has_extension())
        return fmt::format(
            "no such file or folder; if it is a model on the Hugging Face hub: `hf download {0} --local-dir {1}`, and "
            "--init {1}",
            init, fs::path(init).filename().string());
    return "no such file or folder";
}

}    // namespace

InitSource open_init(const fs::path& init) {
    if (!is_there(init))
        throw Error(ExitCode::missing_input, "--init {}: {}", init.string(), describe_absent(init.string()));
    std::error_code ignored;
    if (!fs::is_directory(init, ignored)) return {WeightFile::open(init), init.parent_path(), {}};
    if (is_there(init / kManifestName)) return from_checkpoint(read_checkpoint(init));
    for (const fs::path& folder : {init, init / "best"})
        if (holds_weights(folder)) return {WeightFile::open(folder), folder, {}};
    if (auto found = newest_whole(init)) return from_checkpoint(std::move(*found));
    throw Error(ExitCode::missing_input,
                "{} holds no weights: neither {} nor pytorch_model.bin nor {} nor best/ nor a complete "
                "checkpoint",
                init.string(), kWeightsName, kManifestName);
}

void check_model(const fs::path& init) { check_own_digest(open_init(init)); }

void check_own_digest(const InitSource& source) {
    if (!source.is_ours()) return;
    const auto expected = source.file->metadata().find("xxh3");
    if (expected == source.file->metadata().end()) return;
    Digest digest;
    for (const auto& [name, tensor] : source.file->tensors()) {
        digest.add(std::as_bytes(std::span(name)));
        source.file->read_bytes(name, [&](std::span<const std::byte> bytes) { digest.add(bytes); });
    }
    if (digest.hex() == expected->second) return;
    throw Error(ExitCode::bad_data, "{} is damaged: its weights do not fit their digest", source.file->path().string());
}

namespace {

// The configuration of a file of weights: in its metadata, else beside it. Empty if it is not ours.
json own_config(const fs::path& weights) {
    json config;
    try {
        const auto file = WeightFile::open(weights);
        if (const auto found = file->metadata().find("config"); found != file->metadata().end())
            config = json::parse(found->second, nullptr, false);
    } catch (const Error&) {    // none, or damaged, which who reads them says
    }
    std::error_code ignored;
    const fs::path beside = weights.parent_path() / kConfigName;
    if (config.empty() && fs::is_regular_file(beside, ignored))
        config = json::parse(read_model_json(beside), nullptr, false);
    const bool ours = config.is_object() && config.value("kind", json()) == kModelKind;
    return ours ? config : json::object();
}

}    // namespace

std::string read_model_note(const fs::path& init) {
    std::error_code ignored;
    fs::path weights = init;
    if (fs::is_directory(init, ignored)) {
        if (fs::exists(init / kManifestName, ignored)) return "{}";
        weights = init / kWeightsName;
        if (!fs::exists(weights, ignored)) weights = init / "best" / kWeightsName;
    }
    const json config = own_config(weights);
    json note = config.value("note", json::object());
    if (!note.is_object()) note = json::object();
    const json prompt = config.value("prompt", json());    // what is not said is the default prompt
    if (prompt.is_string() && prompt != GenerateOptions{}.prompt) note["prompt"] = prompt;
    return note.dump();
}

}    // namespace blip

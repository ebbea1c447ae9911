// What a model of ours says of its origin. Used by the export, so that it comes along.
#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/checkpoint/init.h"
#include "blip/weights/export.h"
#include "blip/weights/weight_file.h"
#include "src/checkpoint/directories.h"
#include "src/checkpoint/model_json.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

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

// See manifest.h. The text carries the digest of itself (with zeros in the digest's place), so that no flipped byte
// passes.
#include "blip/checkpoint/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cmath>

#include "blip/base/digest.h"
#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "src/checkpoint/model_json.h"

namespace blip {
namespace {

using nlohmann::json;

constexpr const char* kZeroDigest = "0000000000000000";
constexpr const char* manifest_kind = "blip_mpi checkpoint";
// How the digest's line starts. Quotes inside JSON strings are escaped, so no other text can hold this.
constexpr const char* kDigestStart = "\n  \"digest\": \"";

// Where the 16 digits stand; npos if nowhere.
std::size_t digest_position(const std::string& text) {
    const std::size_t start = text.find(kDigestStart);
    if (start == std::string::npos) return start;
    const std::size_t position = start + std::char_traits<char>::length(kDigestStart);
    return position + 16 <= text.size() ? position : std::string::npos;
}

void check_digest(std::string text, const std::string& origin) {
    const std::size_t position = digest_position(text);
    const std::string digest = position == std::string::npos ? "" : text.substr(position, 16);
    if (!digest.empty()) text.replace(position, 16, kZeroDigest);
    if (digest.empty() || digest != digest_of(text)) {
        throw Error(ExitCode::bad_data, "{} is damaged or was edited: field 'digest' does not fit its text", origin);
    }
}

TrainState state_from_json(const json& object, const std::string& origin) {
    TrainState state;
    state.global_step = integer_field(object, "global_step", origin, 0, INT64_MAX);
    state.epoch = static_cast<int>(integer_field(object, "epoch", origin, 0, INT_MAX));
    state.step_in_epoch = integer_field(object, "step_in_epoch", origin, 0, INT64_MAX);
    state.seed = unsigned_field(object, "seed", origin);
    return state;
}

std::map<std::string, std::string> texts_from_json(const json& object, const std::string& name,
                                                   const std::string& origin) {
    const json& entries = field(object, name, origin);
    if (!entries.is_object()) throw_field(origin, name, "is not an object");
    std::map<std::string, std::string> texts;
    for (const auto& [key, value] : entries.items()) texts[key] = text_field(entries, key, origin);
    return texts;
}

std::vector<ShardFile> shards_from_json(const json& list, const std::string& origin) {
    if (!list.is_array()) throw_field(origin, "shards", "is not a list");
    std::vector<ShardFile> shards;
    for (const json& entry : list) {
        ShardFile shard{text_field(entry, "name", origin), unsigned_field(entry, "bytes", origin),
                        text_field(entry, "xxh3", origin)};
        // a name must not lead out of the checkpoint's directory
        if (shard.name.empty() || shard.name.find('/') != std::string::npos || shard.name.front() == '.') {
            throw_field(origin, "shards", fmt::format("holds the file name '{}'", shard.name));
        }
        shards.push_back(std::move(shard));
    }
    return shards;
}

}    // namespace

std::string Manifest::to_json() const {
    json files = json::array();
    for (const ShardFile& shard : shards)
        files.push_back({{"name", shard.name}, {"bytes", shard.bytes}, {"xxh3", shard.xxh3}});
    const json object = {
        {"kind", manifest_kind},
        {"format", format},
        {"digest", kZeroDigest},
        {"state",
         {{"global_step", state.global_step},
          {"epoch", state.epoch},
          {"step_in_epoch", state.step_in_epoch},
          {"seed", state.seed}}},
        {"update_count", update_count},
        {"world_size", world_size},
        {"threads", threads},
        {"model", model_to_json(model)},
        {"identity", identity},
        {"other_bits", other_bits},
        {"other_scores", other_scores},
        {"config", config},
        {"shards", std::move(files)},
    };
    std::string text = to_line(object, 2) + "\n";
    const std::string digest = digest_of(text);
    return text.replace(digest_position(text), digest.size(), digest);
}

Manifest Manifest::from_json(const std::string& text, const std::string& origin) {
    const json object = parse_object(text, origin);
    if (const auto kind = object.find("kind"); kind == object.end() || *kind != manifest_kind) {
        throw_field(origin, "kind", fmt::format("is not '{}'", manifest_kind));
    }
    check_digest(text, origin);
    Manifest manifest;
    manifest.format = static_cast<int>(integer_field(object, "format", origin, 0, INT_MAX));
    check_format(manifest.format, checkpoint_format_version, origin);
    manifest.state = state_from_json(field(object, "state", origin), origin);
    manifest.update_count = integer_field(object, "update_count", origin, 0, std::int64_t{1} << 24);
    manifest.world_size = static_cast<int>(integer_field(object, "world_size", origin, 1, INT_MAX));
    manifest.threads = static_cast<int>(integer_field(object, "threads", origin, 0, INT_MAX));
    manifest.model = model_from_json(field(object, "model", origin), origin);
    manifest.identity = texts_from_json(object, "identity", origin);
    if (manifest.format > 1) {
        manifest.other_bits = texts_from_json(object, "other_bits", origin);
        manifest.other_scores = texts_from_json(object, "other_scores", origin);
    }
    manifest.config = text_field(object, "config", origin);
    manifest.shards = shards_from_json(field(object, "shards", origin), origin);
    if (manifest.shards.size() != static_cast<std::size_t>(manifest.world_size)) {
        throw_field(origin, "shards",
                    fmt::format("lists {} of {}", counted(static_cast<std::int64_t>(manifest.shards.size()), "file"),
                                counted(manifest.world_size, "rank")));
    }
    return manifest;
}

std::vector<std::string> identity_differences(const std::map<std::string, std::string>& then,
                                              const std::map<std::string, std::string>& now) {
    std::vector<std::string> differences;
    const auto value_in = [](const std::map<std::string, std::string>& map, const std::string& name) {
        const auto found = map.find(name);
        return found == map.end() ? std::string("absent") : found->second;
    };
    std::map<std::string, std::string> names = then;
    names.insert(now.begin(), now.end());
    for (const auto& [name, ignored] : names) {
        const std::string was = value_in(then, name), is = value_in(now, name);
        if (was != is) differences.push_back(fmt::format("{}: was {}, now {}", name, was, is));
    }
    return differences;
}

}    // namespace blip

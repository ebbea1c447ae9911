// The shape of a model as JSON. Internal to checkpoint.
#pragma once

#include <filesystem>
#include <string>

#include "blip/base/json.h"
#include "blip/options/options.h"

namespace blip {

// The text of a model's config.json, unchecked. Errors: as for read_regular_file.
std::string read_model_json(const std::filesystem::path& path);

// Throws bad_data unless it is one of 1 to newest.
void check_format(std::int64_t format, int newest, const std::string& origin);

// Of a model's configuration (kind kModelKind).
inline constexpr int kModelFormat = 1;

nlohmann::json model_to_json(const ModelOptions& model);
ModelOptions model_from_json(const nlohmann::json& object, const std::string& origin);

}    // namespace blip

// Reading JSON objects with errors that name the file and the field; the shape of a model as JSON. Internal to
// checkpoint.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "blip/base/error.h"
#include "blip/options/options.h"

namespace blip {

// The text of a model's config.json, unchecked. Errors: as for read_regular_file.
std::string read_model_json(const std::filesystem::path& path);
// Throws bad_data naming origin unless text is one JSON object.
nlohmann::json parse_object(const std::string& text, const std::string& origin);

[[noreturn]] inline void throw_field(const std::string& origin, const std::string& field, const std::string& what) {
    throw Error(ExitCode::bad_data, fmt::format("{}: field '{}' {}", origin, field, what));
}

const nlohmann::json& field(const nlohmann::json& object, const std::string& name, const std::string& origin);
std::string text_field(const nlohmann::json& object, const std::string& name, const std::string& origin);
double number_field(const nlohmann::json& object, const std::string& name, const std::string& origin);
// a whole number in [low, high]
std::int64_t integer_field(const nlohmann::json& object, const std::string& name, const std::string& origin,
                           std::int64_t low, std::int64_t high);
std::uint64_t unsigned_field(const nlohmann::json& object, const std::string& name, const std::string& origin);

// Throws bad_data unless it is one of 1 to newest.
void check_format(std::int64_t format, int newest, const std::string& origin);

// Of a model's configuration (kind kModelKind).
inline constexpr int kModelFormat = 1;

nlohmann::json model_to_json(const ModelOptions& model);
ModelOptions model_from_json(const nlohmann::json& object, const std::string& origin);

}    // namespace blip

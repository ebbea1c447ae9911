// See json_fields.h.
#include "src/checkpoint/json_fields.h"

#include <algorithm>

#include "blip/base/durable_file.h"
#include "blip/options/model_shape.h"

namespace blip {

using nlohmann::json;

std::string read_model_json(const std::filesystem::path& path) {
    constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
    return read_regular_file(path, kMaxBytes);
}

json parse_object(const std::string& text, const std::string& origin) {
    json value;
    try {
        value = json::parse(text);
    } catch (const json::exception& error) {
        // the parser quotes all that it has read of a text
        const std::string reason = error.what();
        throw Error(ExitCode::bad_data,
                    fmt::format("{} is damaged: {}", origin,
                                reason.substr(0, std::min(reason.find("; last read"), std::size_t{200}))));
    }
    if (!value.is_object())
        throw Error(ExitCode::bad_data, fmt::format("{} is damaged: it holds no JSON object", origin));
    return value;
}

const json& field(const json& object, const std::string& name, const std::string& origin) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    if (found == object.end()) throw_field(origin, name, "is missing");
    return *found;
}

std::string text_field(const json& object, const std::string& name, const std::string& origin) {
    const json& value = field(object, name, origin);
    if (!value.is_string()) throw_field(origin, name, "is not a text");
    return value.get<std::string>();
}

double number_field(const json& object, const std::string& name, const std::string& origin) {
    const json& value = field(object, name, origin);
    if (!value.is_number()) throw_field(origin, name, "is not a number");
    return value.get<double>();
}

std::int64_t integer_field(const json& object, const std::string& name, const std::string& origin, std::int64_t low,
                           std::int64_t high) {
    const json& value = field(object, name, origin);
    if (!value.is_number_integer()) throw_field(origin, name, "is not a whole number");
    const bool fits =
        !value.is_number_unsigned() || value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
    if (!fits || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high) {
        throw_field(origin, name, fmt::format("is {}, outside {}..{}", value.dump(), low, high));
    }
    return value.get<std::int64_t>();
}

std::uint64_t unsigned_field(const json& object, const std::string& name, const std::string& origin) {
    const json& value = field(object, name, origin);
    if (!value.is_number_unsigned()) throw_field(origin, name, "is not a whole number");
    return value.get<std::uint64_t>();
}

void check_format(std::int64_t format, int newest, const std::string& origin) {
    if (format >= 1 && format <= newest) return;
    throw_field(origin, "format",
                fmt::format("is {}; this program reads up to {}: a newer version made it", format, newest));
}

json model_to_json(const ModelOptions& model) {
    json object = {{"preset", model.preset}};
    for (const Dimension& dimension : model_dimensions()) object[dimension.json_key()] = model.*dimension.member;
    return object;
}

ModelOptions model_from_json(const json& object, const std::string& origin) {
    ModelOptions model;
    model.preset = text_field(object, "preset", origin);
    for (const Dimension& dimension : model_dimensions())
        model.*dimension.member = static_cast<int>(integer_field(object, dimension.json_key(), origin, 1, 1 << 20));
    return model;
}

}    // namespace blip

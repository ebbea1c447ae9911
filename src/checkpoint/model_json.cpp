// See model_json.h.
#include "src/checkpoint/model_json.h"

#include <fmt/format.h>

#include "blip/base/durable_file.h"
#include "blip/options/model_shape.h"

namespace blip {

using nlohmann::json;

std::string read_model_json(const std::filesystem::path& path) {
    constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
    return read_regular_file(path, kMaxBytes);
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

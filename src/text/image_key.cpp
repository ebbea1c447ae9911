// See the header.
#include "blip/text/image_key.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <span>

#include "blip/base/digest.h"
#include "blip/base/number.h"

namespace blip {

namespace fs = std::filesystem;

std::optional<std::int64_t> ImageKey::number() const {
    return is_number ? number_in<std::int64_t>(text) : std::nullopt;
}

std::uint64_t ImageKey::seed() const {
    if (const auto value = number()) return static_cast<std::uint64_t>(*value);
    return digest_value(std::as_bytes(std::span(text)));
}

nlohmann::json ImageKey::to_json() const {
    if (const auto value = number()) return *value;
    if (const auto value = number_in<std::uint64_t>(text); value && is_number) return *value;
    return text;
}

ImageKey key_in_text(std::string text) {
    const auto value = number_in<std::int64_t>(text);
    if (value && std::to_string(*value) == text) return *value;
    return text;
}

ImageKey json_key(const JsonFile& file, const nlohmann::json& object, const char* name, const std::string& where) {
    const nlohmann::json& value = json_member(file, object, name, where);
    if (value.is_string()) {
        std::string text = value.get<std::string>();
        check_text(file, text, where);
        if (text.empty()) bad_json(file, where, fmt::format("'{}' is empty", name));
        return text;
    }
    if (value.is_number_unsigned()) {
        ImageKey key(std::to_string(value.get<std::uint64_t>()));
        key.is_number = true;
        return key;
    }
    if (value.is_number_integer()) return value.get<std::int64_t>();
    const double number = value.is_number() ? value.get<double>() : 0.5;
    if (std::trunc(number) != number) bad_json(file, where, fmt::format("'{}' is not a whole number or a text", name));
    if (std::abs(number) > 9007199254740992.0)
        bad_json(file, where, fmt::format("'{}' is too large to be told exactly: write it as a text", name));
    return static_cast<std::int64_t>(number);
}

std::optional<std::int64_t> coco_number(const fs::path& file) {
    static const std::regex named("(COCO_[a-z]+20[0-9]{2}_|[a-z]+20[0-9]{2}/)([0-9]{12})");
    constexpr std::size_t longest = 64;    // more is none, and would take std::regex stack for each character
    const std::string stem = file.stem().string();
    std::smatch found;
    for (const std::string& name : {stem, (file.parent_path().filename() / stem).string()})
        if (name.size() <= longest && std::regex_match(name, found, named))
            return number_in<std::int64_t>(found[2].str());
    return std::nullopt;
}

ImageKey key_of_path(const fs::path& path) {
    if (const auto number = coco_number(path)) return *number;
    return fs::path(path).replace_extension().generic_string();
}

ImageKey key_of_row(const JsonFile& file, const nlohmann::json& row, const fs::path& path, const std::string& where) {
    const auto number = coco_number(path);
    for (const char* name : key_names) {
        if (!row.is_object() || !row.contains(name) || row[name].is_null()) continue;
        ImageKey key = json_key(file, row, name, where);
        if (!number || key.is_number) return key;
        // of COCO's pictures: "coco_42" in the reference's files, and the number as a text
        const auto called = number_in<std::int64_t>(key.text.substr(key.text.starts_with("coco_") ? 5 : 0));
        return called ? ImageKey(*called) : key;
    }
    return key_of_path(path);
}

}    // namespace blip

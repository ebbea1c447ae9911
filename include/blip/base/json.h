// JSON that always can be written, and fields whose errors name the file and the field. Used wherever something is kept
// as JSON or told to other ranks; lists of captions, which people make, have text/json_file.h.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace blip {

// Text of one line, or of many indented by so much. Bytes that are no UTF-8 (a path may hold them) are replaced: they
// must not lose a record.
template <class Json = nlohmann::json>
std::string to_line(const Json& value, int indent = -1) {
    return value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Throws bad_data naming origin unless text is one JSON object.
nlohmann::json parse_object(std::string_view text, const std::string& origin);
// Of text that anybody may have written. An object that names a key twice is refused (which one would hold?), and what
// is nested deeper or holds more values than this: they take many times the text's memory. Throws bad_data naming
// origin.
nlohmann::json parse_strictly(std::string_view text, const std::string& origin, int most_depth,
                              std::size_t most_values = SIZE_MAX);

// A member of an object, of this type. Throws bad_data naming origin and the field.
const nlohmann::json& field(const nlohmann::json& object, const std::string& name, const std::string& origin);
std::string text_field(const nlohmann::json& object, const std::string& name, const std::string& origin);
double number_field(const nlohmann::json& object, const std::string& name, const std::string& origin);
// a whole number in [low, high]
std::int64_t integer_field(const nlohmann::json& object, const std::string& name, const std::string& origin,
                           std::int64_t low, std::int64_t high);
std::uint64_t unsigned_field(const nlohmann::json& object, const std::string& name, const std::string& origin);
[[noreturn]] void throw_field(const std::string& origin, const std::string& field, const std::string& what);

}    // namespace blip

// See json.h.
#include "blip/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "blip/base/error.h"

// JSON's class, compiled once for all files: env/pch/json.h.
template class nlohmann::basic_json<>;

namespace blip {

using nlohmann::json;

namespace {

// The parser begins with its own name for it, and quotes all that it has read of a text.
std::string reason_of(const json::exception& error) {
    std::string reason = error.what();
    if (const auto name_end = reason.find("] "); name_end != std::string::npos) reason.erase(0, name_end + 2);
    return reason.substr(0, std::min(reason.find("; last read"), std::size_t{200}));
}

}    // namespace

json parse_object(std::string_view text, const std::string& origin) {
    json value;
    try {
        value = json::parse(text);
    } catch (const json::exception& error) {
        throw Error(ExitCode::bad_data, "{} is damaged: {}", origin, reason_of(error));
    }
    if (!value.is_object()) throw Error(ExitCode::bad_data, "{} is damaged: it holds no JSON object", origin);
    return value;
}

json parse_strictly(std::string_view text, const std::string& origin, int most_depth, std::size_t most_values) {
    const auto bad = [&](const std::string& what) { throw Error(ExitCode::bad_data, "{}: {}", origin, what); };
    std::vector<std::set<std::string>> keys;    // of the open objects
    std::size_t values = 0;
    const auto look = [&](int depth, json::parse_event_t event, json& value) {
        if (++values > most_values) bad(fmt::format("more than {} values", most_values));
        if (depth > most_depth) bad("nested too deeply");
        if (event == json::parse_event_t::object_start) keys.emplace_back();
        if (event == json::parse_event_t::object_end) keys.pop_back();
        if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
            bad(fmt::format("'{}' is there twice", value.get<std::string>()));
        return true;
    };
    try {
        return json::parse(text, look);
    } catch (const json::exception& error) {
        throw Error(ExitCode::bad_data, "{}: not JSON: {}", origin, reason_of(error));
    }
}

void throw_field(const std::string& origin, const std::string& field, const std::string& what) {
    throw Error(ExitCode::bad_data, "{}: field '{}' {}", origin, field, what);
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
    if (!fits || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high)
        throw_field(origin, name, fmt::format("is {}, outside {}..{}", value.dump(), low, high));
    return value.get<std::int64_t>();
}

std::uint64_t unsigned_field(const json& object, const std::string& name, const std::string& origin) {
    const json& value = field(object, name, origin);
    if (!value.is_number_unsigned()) throw_field(origin, name, "is not a whole number");
    return value.get<std::uint64_t>();
}

}    // namespace blip

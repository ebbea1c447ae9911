// A JSON value from the parser's events, without the members nobody needs. nlohmann's own parser with a callback looks
// through the whole list so far at the end of each of its objects: hours for the lists of captions people have.
// Internal to json_file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "blip/text/json_file.h"

namespace blip {

class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
  public:
    // Members of the names in `ignored` are dropped with all below them. Fills file's root and root_names. Both must
    // outlive it.
    JsonBuilder(JsonFile& file, const std::vector<std::string>& ignored, IgnoredIn where)
        : root_(file.root), root_names_(file.root_names), ignored_(ignored), where_(where) {}

    bool null() override;
    bool boolean(bool value) override;
    bool number_integer(number_integer_t value) override;
    bool number_unsigned(number_unsigned_t value) override;
    bool number_float(number_float_t value, const string_t& text) override;
    bool string(string_t& value) override;
    bool binary(binary_t& value) override;
    bool start_object(std::size_t) override;
    bool key(string_t& name) override;
    bool end_object() override;
    bool start_array(std::size_t) override;
    bool end_array() override;
    bool parse_error(std::size_t byte, const std::string& token, const nlohmann::detail::exception& error) override;

    // Of a failed parse: what nlohmann says, and the byte it had read last, from 1 (0: unknown).
    const std::string& error() const { return error_; }
    std::size_t error_byte() const { return error_byte_; }

  private:
    bool put(nlohmann::json&& value);
    bool open(nlohmann::json&& empty);
    bool close();

    nlohmann::json& root_;
    std::vector<std::string>& root_names_;
    const std::vector<std::string>& ignored_;
    const IgnoredIn where_;
    std::vector<nlohmann::json*> open_;    // containers not yet closed
    nlohmann::json* member_ = nullptr;     // where the value of the last key goes
    bool drop_next_ = false;               // the next value belongs to an ignored name
    std::size_t dropped_depth_ = 0;        // open containers below an ignored name
    std::string error_;
    std::size_t error_byte_ = 0;
};

}    // namespace blip

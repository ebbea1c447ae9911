// The key of a picture: what the data call it. A text; where the data gave a whole number, results give one too. Used
// by coco_pack, the packed file, evaluation and scores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "blip/text/json_file.h"

namespace blip {

struct ImageKey {
    std::string text;
    bool is_number = false;    // a whole number in the data, written out in text without leading zeros

    ImageKey() = default;
    ImageKey(std::int64_t value) : text(std::to_string(value)), is_number(true) {}
    ImageKey(std::string value) : text(std::move(value)) {}
    bool operator==(const ImageKey&) const = default;

    // of numbers that COCO's tools take: those of int64
    std::optional<std::int64_t> number() const;
    // what drawn captions depend on: the number, or the text's digest
    std::uint64_t seed() const;
    // a JSON number, or a text
    nlohmann::json to_json() const;
};

// Of a form that has texts alone: a number if it reads like one of int64 that was written out.
ImageKey key_in_text(std::string text);
// A member of an object: a text, or a whole number (42.0 is 42). Throws bad_data naming file, place and key.
ImageKey json_key(const JsonFile& file, const nlohmann::json& object, const char* name, const std::string& where);

// What rows call a picture's key, first in the order of looking; the last may count rows instead.
inline constexpr const char* key_names[] = {"image_id", "cocoid", "imgid", "img_id", "id"};

// The picture's number in COCO's file names, "COCO_val2014_000000000042.jpg" and "val2017/000000000042.jpg".
std::optional<std::int64_t> coco_number(const std::filesystem::path& file);
// Of a row about a picture: COCO's number; else what the row calls it (key_names);
// else its path without the extension.
ImageKey key_of_row(const JsonFile& file, const nlohmann::json& row, const std::filesystem::path& path,
                    const std::string& where);
ImageKey key_of_path(const std::filesystem::path& path);

}    // namespace blip

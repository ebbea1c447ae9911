// JSON files of captions with errors a person can act on: file, line and column, or the row and the key. Used by
// coco_pack and by metrics/caption_files.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace blip {

struct JsonFile {
    std::filesystem::path path;
    std::string remedy;    // what messages end with
    nlohmann::json root{};
    // Of an object: its members' names in the file's order, which root does not keep, repeated ones each time.
    std::vector<std::string> root_names{};
    // Text that stands for bytes which were not valid UTF-8; empty if there were none. Whoever meets it names the
    // place.
    std::string invalid_mark{};
    std::string first_invalid{};    // "line 3, column 14" of the first such byte
};

enum class IgnoredIn { whole_file, all_but_root };    // all_but_root: the root's own members stay

// ignored: members of these names are parsed and dropped wherever they are, so that large ones take no memory.
// NaN, Infinity and -Infinity, which Python writes, are read as a number that is not whole.
// Errors: missing_input, io; bad_data for malformed JSON, with line and column. Invalid UTF-8 is left to the reader of
// the strings, who knows which caption it is: check_text, and check_all_text_was_seen at the end.
JsonFile load_json(const std::filesystem::path& path, const std::vector<std::string>& ignored = {},
                   const std::string& remedy = "fetch the file again", IgnoredIn where = IgnoredIn::whole_file);
// The same of a text that was read from path.
JsonFile parse_json(std::string text, const std::filesystem::path& path, const std::vector<std::string>& ignored,
                    const std::string& remedy, IgnoredIn where = IgnoredIn::whole_file);

// Throws bad_data "FILE: WHERE: not valid UTF-8" if the text holds the mark.
void check_text(const JsonFile& file, const std::string& text, const std::string& where);
// Throws bad_data with line and column if the file had invalid bytes that no check_text met.
void check_all_text_was_seen(const JsonFile& file);

// A member of an object (where: "row 17"), of this type. Throws bad_data naming file, place and key.
const nlohmann::json& json_member(const JsonFile& file, const nlohmann::json& object, const char* key,
                                  const std::string& where);
const nlohmann::json& json_list(const JsonFile& file, const nlohmann::json& object, const char* key,
                                const std::string& where);
std::string json_text(const JsonFile& file, const nlohmann::json& object, const char* key, const std::string& where);
[[noreturn]] void bad_json(const JsonFile& file, const std::string& where, const std::string& what);

}    // namespace blip

// See json_file.h.
#include "blip/text/json_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/text/caption_text.h"

namespace blip {

namespace {

using nlohmann::json;

// A JSON value from the parser's events, without the members nobody needs. nlohmann's own parser with a callback looks
// through the whole list so far at the end of each of its objects: hours for the lists of captions people have.
class JsonBuilder : public nlohmann::json_sax<json> {
  public:
    // Members of the names in `ignored` are dropped with all below them. Fills file's root and root_names. Both must
    // outlive it.
    JsonBuilder(JsonFile& file, const std::vector<std::string>& ignored, IgnoredIn where)
        : root_(file.root), root_names_(file.root_names), ignored_(ignored), where_(where) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(number_integer_t value) override { return put(value); }
    bool number_unsigned(number_unsigned_t value) override { return put(value); }
    bool number_float(number_float_t value, const string_t&) override { return put(value); }
    bool string(string_t& value) override { return put(std::move(value)); }
    bool binary(binary_t& value) override { return put(json::binary(std::move(value))); }
    bool start_object(std::size_t) override { return open(json::object()); }
    bool key(string_t& name) override {
        if (dropped_depth_ > 0) return true;
        const bool of_root = open_.size() == 1;
        if (of_root) root_names_.push_back(name);
        drop_next_ = !(of_root && where_ == IgnoredIn::all_but_root) &&
                     std::find(ignored_.begin(), ignored_.end(), name) != ignored_.end();
        // of members with one name the last counts, as in nlohmann's own parser
        if (!drop_next_) member_ = &(*open_.back())[name];
        return true;
    }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(json::array()); }
    bool end_array() override { return close(); }
    bool parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception& error) override {
        error_ = error.what();
        error_byte_ = byte;
        return false;
    }

    // Of a failed parse: what nlohmann says, and the byte it had read last, from 1 (0: unknown).
    const std::string& error() const { return error_; }
    std::size_t error_byte() const { return error_byte_; }

  private:
    bool put(json&& value) {
        if (dropped_depth_ > 0) return true;
        if (drop_next_) {
            drop_next_ = false;
            return true;
        }
        if (open_.empty())
            root_ = std::move(value);
        else if (open_.back()->is_array())
            open_.back()->push_back(std::move(value));
        else
            *member_ = std::move(value);
        return true;
    }
    bool open(json&& empty) {
        if (dropped_depth_ > 0 || drop_next_) {
            drop_next_ = false;
            ++dropped_depth_;
            return true;
        }
        put(std::move(empty));
        json* const parent = open_.empty() ? nullptr : open_.back();
        open_.push_back(parent == nullptr ? &root_ : parent->is_array() ? &parent->back() : member_);
        return true;
    }
    bool close() {
        if (dropped_depth_ > 0)
            --dropped_depth_;
        else
            open_.pop_back();
        return true;
    }

    json& root_;
    std::vector<std::string>& root_names_;
    const std::vector<std::string>& ignored_;
    const IgnoredIn where_;
    std::vector<json*> open_;          // containers not yet closed
    json* member_ = nullptr;           // where the value of the last key goes
    bool drop_next_ = false;           // the next value belongs to an ignored name
    std::size_t dropped_depth_ = 0;    // open containers below an ignored name
    std::string error_;
    std::size_t error_byte_ = 0;
};

// U+10FFFF, a code point that is no character
constexpr const char* invalid_mark = "\xF4\x8F\xBF\xBF";

// Every invalid byte becomes the mark, so that the rest can be parsed.
std::string mark_invalid_bytes(const std::string& text, std::size_t first) {
    std::string marked;
    std::size_t start = 0;
    for (std::size_t bad = first; bad != std::string::npos;) {
        marked.append(text, start, bad - start);
        marked += invalid_mark;
        start = bad + 1;
        const std::size_t next = find_invalid_utf8(std::string_view(text).substr(start));
        bad = next == std::string::npos ? next : start + next;
    }
    return marked.append(text, start);
}

// Python's json writes and reads these, though no JSON has them; each becomes a number of the same length, which is not
// whole, so that no reader takes it for anything.
void replace_pythons_numbers(std::string& text) {
    constexpr std::pair<std::string_view, std::string_view> words[] = {
        {"NaN", "0.5"}, {"Infinity", "0.500000"}, {"-Infinity", "-0.500000"}};
    // so that what is malformed stays so: a whole value, not a part of one
    const auto ends_a_word = [](char c) { return std::string_view(" \t\r\n,:[]").find(c) != std::string_view::npos; };
    if (text.find("NaN") == std::string::npos && text.find("Infinity") == std::string::npos) return;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (in_string) {
            if (text[i] == '\\')
                ++i;
            else if (text[i] == '"')
                in_string = false;
            continue;
        }
        in_string = text[i] == '"';
        if (i > 0 && !ends_a_word(text[i - 1])) continue;
        for (const auto& [word, number] : words) {
            const std::size_t end = i + word.size();
            if (text.compare(i, word.size(), word) != 0 ||
                (end < text.size() && text[end] != '}' && !ends_a_word(text[end])))
                continue;
            text.replace(i, word.size(), number);
        }
    }
}

}    // namespace

void bad_json(const JsonFile& file, const std::string& where, const std::string& what) {
    throw Error(ExitCode::bad_data, "{}: {}: {}; {}", file.path.string(), where, what, file.remedy);
}

JsonFile load_json(const std::filesystem::path& path, const std::vector<std::string>& ignored,
                   const std::string& remedy, IgnoredIn where) {
    return parse_json(read_file(path), path, ignored, remedy, where);
}

JsonFile parse_json(std::string text, const std::filesystem::path& path, const std::vector<std::string>& ignored,
                    const std::string& remedy, IgnoredIn where) {
    JsonFile file{path, remedy};
    if (is_utf16(text)) throw Error(ExitCode::bad_data, "{}: {}", path.string(), describe_encoding(text));
    if (const std::size_t bad = find_invalid_utf8(text); bad != std::string::npos) {
        file.first_invalid = line_and_column(text, bad);
        file.invalid_mark = invalid_mark;
        text = mark_invalid_bytes(text, bad);
    }
    replace_pythons_numbers(text);
    JsonBuilder builder(file, ignored, where);
    if (!json::sax_parse(text, &builder)) {
        std::string reason = builder.error();
        // drop the library's own prefix and place
        for (const char* start : {"] ", ": "})
            if (const auto at = reason.find(start); at != std::string::npos) reason.erase(0, at + 2);
        const std::size_t place = builder.error_byte() == 0 ? 0 : builder.error_byte() - 1;
        bad_json(file, line_and_column(text, place), "malformed JSON: " + reason);
    }
    return file;
}

void check_text(const JsonFile& file, const std::string& text, const std::string& where) {
    if (!file.invalid_mark.empty() && text.find(file.invalid_mark) != std::string::npos)
        bad_json(file, where,
                 fmt::format("is not valid UTF-8 (first invalid byte of the file: {})", file.first_invalid));
}

void check_all_text_was_seen(const JsonFile& file) {
    if (!file.invalid_mark.empty()) bad_json(file, file.first_invalid, "is not valid UTF-8");
}

const json& json_member(const JsonFile& file, const json& object, const char* key, const std::string& where) {
    if (!object.is_object()) bad_json(file, where, "is not an object");
    const auto found = object.find(key);
    if (found == object.end()) bad_json(file, where, fmt::format("has no '{}'", key));
    return *found;
}

const json& json_list(const JsonFile& file, const json& object, const char* key, const std::string& where) {
    const auto& value = json_member(file, object, key, where);
    if (!value.is_array()) bad_json(file, where, fmt::format("'{}' is not a list", key));
    return value;
}

std::string json_text(const JsonFile& file, const json& object, const char* key, const std::string& where) {
    const auto& value = json_member(file, object, key, where);
    if (!value.is_string()) bad_json(file, where, fmt::format("'{}' is not a text", key));
    return value.get<std::string>();
}

}    // namespace blip

// See json_builder.h.
#include "src/text/json_builder.h"

#include <algorithm>

namespace blip {

using nlohmann::json;

bool JsonBuilder::null() { return put(nullptr); }
bool JsonBuilder::boolean(bool value) { return put(value); }
bool JsonBuilder::number_integer(number_integer_t value) { return put(value); }
bool JsonBuilder::number_unsigned(number_unsigned_t value) { return put(value); }
bool JsonBuilder::number_float(number_float_t value, const string_t&) { return put(value); }
bool JsonBuilder::string(string_t& value) { return put(std::move(value)); }
bool JsonBuilder::binary(binary_t& value) { return put(json::binary(std::move(value))); }
bool JsonBuilder::start_object(std::size_t) { return open(json::object()); }
bool JsonBuilder::end_object() { return close(); }
bool JsonBuilder::start_array(std::size_t) { return open(json::array()); }
bool JsonBuilder::end_array() { return close(); }

bool JsonBuilder::key(string_t& name) {
    if (dropped_depth_ > 0) return true;
    const bool of_root = open_.size() == 1;
    if (of_root) root_names_.push_back(name);
    drop_next_ = !(of_root && where_ == IgnoredIn::all_but_root) &&
                 std::find(ignored_.begin(), ignored_.end(), name) != ignored_.end();
    // of members with one name the last counts, as in nlohmann's own parser
    if (!drop_next_) member_ = &(*open_.back())[name];
    return true;
}

bool JsonBuilder::put(json&& value) {
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

bool JsonBuilder::open(json&& empty) {
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

bool JsonBuilder::close() {
    if (dropped_depth_ > 0)
        --dropped_depth_;
    else
        open_.pop_back();
    return true;
}

bool JsonBuilder::parse_error(std::size_t byte, const std::string&, const nlohmann::detail::exception& error) {
    error_ = error.what();
    error_byte_ = byte;
    return false;
}

}    // namespace blip

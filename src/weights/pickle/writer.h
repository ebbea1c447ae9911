// The few instructions of pickle protocol 2 that a state dict needs. Internal to weights: export_pth.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace blip {

// Each function puts one value on the pickle machine's stack, or folds the values on top into one.
class PickleWriter {
  public:
    PickleWriter() : bytes_("\x80\x02") {}

    void global(std::string_view module, std::string_view name);    // a class or function
    void text(std::string_view utf8);
    void integer(std::int64_t value);
    void boolean(bool value) { op(value ? '\x88' : '\x89'); }
    void empty_dict() { op('}'); }
    void empty_ordered_dict();
    // A mark, and what takes all that was put since the last one: as a tuple; as keys and values of the dict below it.
    void mark() { op('('); }
    void tuple() { op('t'); }
    void set_items() { op('u'); }
    void reduce() { op('R'); }           // calls: the function, then the tuple of its arguments
    void persistent_id() { op('Q'); }    // a storage, from the tuple that describes it
    // The whole pickle; the stack must hold one value.
    std::string finish();

  private:
    void op(char code) { bytes_.push_back(code); }
    void little_endian(std::uint64_t value, int byte_count);

    std::string bytes_;
};

}    // namespace blip

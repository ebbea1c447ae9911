// The few instructions of pickle protocol 2 that a state dict needs. Internal to weights: pth/export.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace blip {

// Each function puts one value on the pickle machine's stack, or folds the values on top into one.
class PickleWriter {
  public:
    void global(std::string_view module, std::string_view name) {    // a class or function
        op('c');
        bytes_.append(module).append("\n").append(name).append("\n");
    }
    void text(std::string_view utf8) {
        op('X', utf8.size(), 4);
        bytes_.append(utf8);
    }
    void integer(std::int64_t value) {
        const auto bits = static_cast<std::uint64_t>(value);
        if (bits <= 0xff) return op('K', bits, 1);
        if (bits <= 0xffff) return op('M', bits, 2);
        if (value == static_cast<std::int32_t>(value)) return op('J', bits, 4);
        op('\x8a', 8, 1);
        little_endian(bits, 8);
    }
    void boolean(bool value) { op(value ? '\x88' : '\x89'); }
    void empty_dict() { op('}'); }
    void empty_ordered_dict() {
        global("collections", "OrderedDict");
        op(')');
        reduce();
    }
    // A mark, and what takes all that was put since the last one: as a tuple; as keys and values of the dict below it.
    void mark() { op('('); }
    void tuple() { op('t'); }
    void set_items() { op('u'); }
    void reduce() { op('R'); }           // calls: the function, then the tuple of its arguments
    void persistent_id() { op('Q'); }    // a storage, from the tuple that describes it

    // The whole pickle; the stack must hold one value.
    std::string finish() {
        op('.');
        return std::move(bytes_);
    }

  private:
    void op(char code, std::uint64_t argument = 0, int argument_bytes = 0) {
        bytes_.push_back(code);
        little_endian(argument, argument_bytes);
    }
    void little_endian(std::uint64_t value, int byte_count) {
        for (int i = 0; i < byte_count; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i) & 0xff));
    }

    std::string bytes_ = "\x80\x02";
};

}    // namespace blip

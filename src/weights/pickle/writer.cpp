// See pickle_writer.h.
#include "src/weights/pickle/writer.h"

#include <limits>

namespace blip {

void PickleWriter::little_endian(std::uint64_t value, int byte_count) {
    for (int i = 0; i < byte_count; ++i) bytes_.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

void PickleWriter::global(std::string_view module, std::string_view name) {
    op('c');
    bytes_.append(module).push_back('\n');
    bytes_.append(name).push_back('\n');
}

void PickleWriter::text(std::string_view utf8) {
    op('X');
    little_endian(utf8.size(), 4);
    bytes_.append(utf8);
}

void PickleWriter::integer(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    if (value >= 0 && value <= 0xff) {
        op('K');
        little_endian(bits, 1);
    } else if (value >= 0 && value <= 0xffff) {
        op('M');
        little_endian(bits, 2);
    } else if (value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max()) {
        op('J');
        little_endian(bits, 4);
    } else {
        op('\x8a');
        little_endian(8, 1);
        little_endian(bits, 8);
    }
}

void PickleWriter::empty_ordered_dict() {
    global("collections", "OrderedDict");
    op(')');
    reduce();
}

std::string PickleWriter::finish() {
    op('.');
    return std::move(bytes_);
}

}    // namespace blip

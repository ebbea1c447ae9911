// What a PyTorch pickle describes, as a tree of plain values. Nothing in it is ever run: tensors, storages, containers
// and plain values are understood, objects of every other class become opaque, and a pickle that asks to call a
// function is refused by name. Free of LibTorch. Used by pth_file.h; fuzzed by tests/faults/fuzz. Format: Python's
// Lib/pickletools.py describes every opcode.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace blip {

enum class PickleKind : std::uint8_t {
    none,
    boolean,
    integer,    // fits 64 bits; larger ones are opaque
    real,
    text,
    bytes,
    list,
    tuple,
    set,
    dict,
    global,    // a class or function, by name
    storage,
    tensor,
    opaque,    // an object of a class that is none of the above
};

struct PickleValue {
    PickleKind kind = PickleKind::none;
    std::int64_t integer = 0;    // boolean, integer; of a storage or tensor its index in the Pickle
    double real = 0;
    std::string_view text;                    // text, bytes; "module.name" of a global and of an opaque object's class
    std::vector<const PickleValue*> items;    // elements; of a dict key, value, key, value ...
};

// A run of elements in a file of its own (data/KEY in the zip).
struct PickledStorage {
    std::string dtype;    // as safetensors calls it; the class's name where safetensors has none; "" for bare bytes
    std::string_view key;
    std::int64_t count = 0;    // elements; bytes where dtype is ""
};

struct PickledTensor {
    std::size_t storage = 0;    // index
    std::string dtype;
    std::int64_t offset = 0;                     // elements
    std::vector<std::int64_t> shape, strides;    // as long as one another; strides in elements. Not checked further.
};

class Pickle {
  public:
    // bytes: protocols 0 to 5. file: what messages call it. Takes memory in proportion to the bytes and no stack in
    // proportion to anything. Throws bad_data: damaged, of another protocol, too large, or asking for a call (which).
    static Pickle parse(std::vector<char> bytes, const std::string& file);

    const PickleValue& root() const { return *root_; }
    const PickledStorage& storage(std::size_t index) const { return storages_[index]; }
    const PickledTensor& tensor(const PickleValue& value) const {
        return tensors_[static_cast<std::size_t>(value.integer)];
    }

  private:
    friend class PickleMachine;
    // Values live here, flat, so that neither loops among them nor depth matter when they are freed.
    std::deque<PickleValue> values_;
    std::deque<std::string> texts_;    // those that are not views of bytes_
    std::vector<char> bytes_;
    std::vector<PickledStorage> storages_;
    std::vector<PickledTensor> tensors_;
    const PickleValue* root_ = nullptr;
};

// The value of a key of a dict, the last one if it is there twice, as in Python; nullptr if absent.
const PickleValue* find_key(const PickleValue& dict, std::string_view key);

constexpr std::uint64_t max_pickle_bytes = std::uint64_t{64} << 20;

}    // namespace blip

// A PyTorch zip file (.pth, .bin) as a weight file: the state dict in its pickle, the values in its entries. Free of
// LibTorch. Used by WeightFile::open; fuzzed by tests/faults/fuzz.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "blip/weights/pickle.h"
#include "blip/weights/weight_file.h"

namespace blip {

// The dict of named tensors: root['model'], root['state_dict'] or root itself. Throws bad_data saying what is there
// instead.
const PickleValue& find_state_dict(const Pickle& pickle, const std::string& file);

// Every tensor of the state dict has been checked to lie within its storage, and every storage to be an entry of the
// size that it promises. Values that are no tensors are left out. Throws missing_input, io, bad_data.
std::unique_ptr<WeightFile> open_pth(const std::filesystem::path& path);
// The same of bytes in memory, which must outlive it.
std::unique_ptr<WeightFile> open_pth(std::span<const std::byte> bytes, const std::string& name);

}    // namespace blip

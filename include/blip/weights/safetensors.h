// Writing the safetensors container: u64 header length, JSON header, raw little-endian data; for checkpoint shards and
// best weights, so that any safetensors reader can inspect them. Read by weight_file.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace blip {

struct NamedTensor {
    std::string name;
    at::Tensor tensor;    // contiguous CPU tensor
};

// Called after each piece with the bytes just written; what it throws ends the writing and leaves nothing behind.
using WriteObserver = std::function<void(std::uint64_t bytes)>;

// Writes durably, tensors by element size and name, nothing copied; beside metadata, if there is any, a digest of the
// header. Throws io naming the file. Returns the file's size
// and xxh3-64 digest.
std::pair<std::uint64_t, std::string> write_safetensors(const std::filesystem::path& path,
                                                        const std::vector<NamedTensor>& tensors,
                                                        const std::map<std::string, std::string>& metadata,
                                                        const WriteObserver& on_written = {});

}    // namespace blip

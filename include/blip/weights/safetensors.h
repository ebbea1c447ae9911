// The safetensors container: u64 header length, JSON header, raw little-endian data. Written for checkpoint shards and
// best weights (so that any safetensors reader can inspect them), read with every size and offset checked.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "blip/weights/safetensors_header.h"

namespace blip {

// A memory-mapped file. Errors: missing_input, bad_data naming the file and the entry.
class SafetensorsFile {
  public:
    static SafetensorsFile open(const std::filesystem::path& path);

    const std::map<std::string, TensorEntry>& entries() const { return entries_; }
    const std::map<std::string, std::string>& metadata() const { return metadata_; }
    const std::filesystem::path& path() const { return path_; }
    // A view of the mapped bytes (kept alive by the tensor), to be read only; throws bad_data if absent.
    at::Tensor tensor(const std::string& name) const;

  private:
    std::filesystem::path path_;
    std::shared_ptr<const std::byte> mapping_;
    const std::byte* data_ = nullptr;
    std::map<std::string, TensorEntry> entries_;
    std::map<std::string, std::string> metadata_;
};

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

// A safetensors file as tensors: what the tests look into.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

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

}    // namespace blip

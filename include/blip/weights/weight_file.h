// Weights in a file of any known form, as a table of named tensors whose values are streamed: a model is never held
// twice. The form is told by the content, whatever the file is called:
//  - safetensors, one file, or an index (JSON with "weight_map") over several beside it;
//  - a PyTorch zip file (.pth, .bin): {'model': state dict, ...}, another of the names that training tools use, or a
//    bare state dict. Its pickle is read by a restricted machine that runs nothing (pickle.h).
// Used by import.h; opened by checkpoint/init.h for --init.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace blip {

struct StoredTensor {
    std::string dtype;    // as safetensors calls it: "F32", "BF16", "I64", ...
    std::vector<std::int64_t> shape;

    std::int64_t element_count() const;
};

// Takes the values of elements [first, first + values.size()) of a tensor in row-major order, as fp32.
using PieceSink = std::function<void(std::int64_t first, std::span<const float> values)>;
// Takes a tensor's stored bytes in row-major order, piece by piece; a piece is whole elements, maybe not aligned.
using ByteSink = std::function<void(std::span<const std::byte> bytes)>;

// What is looked for in a folder, in this order.
inline constexpr const char* kWeightNames[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                               "pytorch_model.bin.index.json"};

class WeightFile {
  public:
    virtual ~WeightFile() = default;

    // path: a file, or a folder that holds one of kWeightNames. Everything that can be checked without reading values
    // has been checked when it returns. Throws missing_input; bad_data naming the file and the entry, and what the file
    // is instead where that can be told (a packed data set, a web page, a Git LFS pointer, PyTorch's old or TorchScript
    // form, a big-endian file). Names are without what training tools put in front of all ("module.").
    static std::unique_ptr<WeightFile> open(const std::filesystem::path& path);

    // What messages call the file.
    const std::filesystem::path& path() const { return path_; }
    const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
    // Throws bad_data if there is none.
    const StoredTensor& tensor(const std::string& name) const;
    // What training tools put in front of the names ("module."), which tensors() are without; empty if nothing.
    virtual std::string dropped_prefix() const { return ""; }
    // Of all values, unpacked; what several tensors of a PyTorch file share counts once: whatever their shapes promise,
    // the file holds no more than this.
    virtual std::uint64_t stored_bytes() const;
    // safetensors' own metadata; empty for others.
    const std::map<std::string, std::string>& metadata() const { return metadata_; }
    // Streams one tensor's bytes as they are stored (little-endian), in order, in pieces of at most a few MiB, for
    // digests. Memory used meanwhile: a piece (a tensor with unusual strides: its part of the storage), and no pages of
    // a mapped file stay behind. Throws bad_data naming file and entry: no such tensor, damaged (the zip's CRC); then
    // bytes may already have been handed over. Not for several threads at a time.
    virtual void read_bytes(const std::string& name, const ByteSink& sink) const = 0;
    // The same as values: F64, F32, F16 and BF16 become fp32 (nearest, ties to even). Throws bad_data for other types.
    virtual void read(const std::string& name, const PieceSink& sink) const;
    // The whole tensor. Throws bad_data as read() does.
    std::vector<float> read_all(const std::string& name) const;

  protected:
    explicit WeightFile(std::filesystem::path path) : path_(std::move(path)) {}

    std::filesystem::path path_;
    std::map<std::string, StoredTensor> tensors_;
    std::map<std::string, std::string> metadata_;
};

}    // namespace blip

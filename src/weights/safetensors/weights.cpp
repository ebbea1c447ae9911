// safetensors as a weight file: pieces of the mapped file, given back as they have been read.

#include <algorithm>

#include "blip/weights/safetensors_header.h"
#include "src/weights/file_forms.h"
#include "src/weights/mapped_file.h"

namespace blip {
namespace {

class SafetensorsWeights : public WeightFile {
  public:
    explicit SafetensorsWeights(const std::filesystem::path& path) : WeightFile(path), file_(MappedFile::open(path)) {
        header_ = parse_safetensors_header(file_.bytes(), path.string());
        metadata_ = header_.metadata;
        file_.drop_pages(0, header_.data_begin);
        for (const auto& [name, entry] : header_.entries) tensors_[name] = {entry.dtype, entry.shape};
    }

    void read_bytes(const std::string& name, const ByteSink& sink) const override {
        (void)tensor(name);    // throws
        const TensorEntry& entry = header_.entries.at(name);
        constexpr std::uint64_t piece_bytes = std::uint64_t{1} << 20;    // a multiple of every element's size
        const std::uint64_t begin = header_.data_begin + entry.begin;
        const std::uint64_t end = header_.data_begin + entry.end;
        for (std::uint64_t at = begin; at < end; at += piece_bytes) {
            const std::uint64_t piece_end = std::min(end, at + piece_bytes);
            sink(file_.bytes().subspan(at, piece_end - at));
            file_.drop_pages(at, piece_end);
        }
    }

  private:
    MappedFile file_;
    SafetensorsHeader header_;
};

}    // namespace

std::unique_ptr<WeightFile> open_safetensors(const std::filesystem::path& path) {
    return std::make_unique<SafetensorsWeights>(path);
}

}    // namespace blip

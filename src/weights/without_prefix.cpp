// Weights under the names that training wrappers leave: "module." of DistributedDataParallel, "_orig_mod." of
// torch.compile, "model." of Lightning, or any other in front of a captioner's own.

#include <algorithm>
#include <string_view>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/printable.h"
#include "src/weights/file_forms.h"
#include "src/weights/stored_names.h"

namespace blip {
namespace {

// Others are taken only where they stand in front of all names: gradients beside other tensors ("grad.") are no
// weights.
bool is_known(std::string_view prefix) {
    for (std::string_view part : {"module.", "_orig_mod.", "model."}) {
        if (prefix == part) return true;
        if (prefix.starts_with(part)) return is_known(prefix.substr(part.size()));
    }
    return false;
}

// What stands in front of a captioner's names; empty where nothing does, or where there is no captioner.
std::string prefix_of(const WeightFile& file) {
    const std::string wanted = kWordEmbeddings;    // the same in the reference and in Hugging Face's models
    std::string prefix;
    for (const auto& [name, tensor] : file.tensors()) {
        if (name == wanted) return "";
        if (!name.ends_with("." + wanted)) continue;
        const std::string found = name.substr(0, name.size() - wanted.size());
        if (!prefix.empty())
            throw Error(ExitCode::bad_data,
                        "{} holds two captioners, under '{}' and '{}': save the one that is meant alone",
                        file.path().string(), printable(prefix), printable(found));
        prefix = found;
    }
    const bool of_all = std::all_of(file.tensors().begin(), file.tensors().end(),
                                    [&](const auto& tensor) { return tensor.first.starts_with(prefix); });
    return of_all || is_known(prefix) ? prefix : "";
}

class WithoutPrefix : public WeightFile {
  public:
    WithoutPrefix(std::unique_ptr<WeightFile> file, std::string prefix)
        : WeightFile(file->path()), file_(std::move(file)), prefix_(std::move(prefix)) {
        metadata_ = file_->metadata();
        for (const auto& [name, tensor] : file_->tensors())
            tensors_[name.starts_with(prefix_) ? name.substr(prefix_.size()) : name] = tensor;
    }

    std::string dropped_prefix() const override { return prefix_; }
    std::uint64_t stored_bytes() const override { return file_->stored_bytes(); }
    void read_bytes(const std::string& name, const ByteSink& sink) const override {
        file_->read_bytes(stored(name), sink);
    }

  private:
    std::string stored(const std::string& name) const {
        return file_->tensors().contains(prefix_ + name) ? prefix_ + name : name;
    }

    std::unique_ptr<WeightFile> file_;
    std::string prefix_;
};

}    // namespace

std::unique_ptr<WeightFile> without_prefix(std::unique_ptr<WeightFile> file) {
    std::string prefix = prefix_of(*file);
    if (prefix.empty()) return file;
    return std::make_unique<WithoutPrefix>(std::move(file), std::move(prefix));
}

}    // namespace blip

// The masters in a checkpoint's shards as one table of whole tensors, streamed like any other weights. Internal to the
// checkpoint layer: --init takes weights alone from a checkpoint through it, while load.cpp resumes a run.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blip/checkpoint/checkpoints.h"
#include "blip/params/layout.h"
#include "blip/weights/weight_file.h"

namespace blip {

class CheckpointWeights final : public WeightFile {
  public:
    // The shards have been verified. Pieces know element ranges, not shapes: those are layout's, where the number of
    // elements agrees; the image encoder's positions may be of another resolution; what else disagrees is flat. Throws
    // bad_data naming the parameter unless the pieces of each cover it without gap or overlap.
    CheckpointWeights(const FoundCheckpoint& found, const Layout& layout);

    const std::filesystem::path& path() const override { return path_; }
    const std::map<std::string, StoredTensor>& tensors() const override { return tensors_; }
    const std::map<std::string, std::string>& metadata() const override { return metadata_; }
    void read_bytes(const std::string& name, const ByteSink& sink) const override;
    void read(const std::string& name, const PieceSink& sink) const override;

  private:
    struct Piece {
        std::int64_t begin = 0, end = 0;    // elements
        const WeightFile* shard = nullptr;
        std::string name;    // in the shard
    };
    const std::vector<Piece>& pieces_of(const std::string& name) const;

    std::filesystem::path path_;
    std::vector<std::unique_ptr<WeightFile>> shards_;
    std::map<std::string, std::vector<Piece>> pieces_;
    std::map<std::string, StoredTensor> tensors_;
    std::map<std::string, std::string> metadata_;
};

}    // namespace blip

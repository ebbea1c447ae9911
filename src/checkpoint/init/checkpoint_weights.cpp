// See checkpoint_weights.h.
#include "src/checkpoint/init/checkpoint_weights.h"

#include "src/checkpoint/shard_pieces.h"

namespace blip {
namespace {

// The image encoder's positions of another resolution have the same width.
std::vector<std::int64_t> shape_of(std::int64_t count, const std::string& name, const Layout& layout) {
    const ParamId id = layout.find(name);
    if (id < 0) return {count};
    const ParamSpec& spec = layout.spec(id);
    if (spec.element_count() == count) return spec.shape;
    if (name == "visual_encoder.pos_embed" && count % spec.shape.back() == 0)
        return {1, count / spec.shape.back(), spec.shape.back()};
    return {count};
}

class CheckpointWeights final : public WeightFile {
  public:
    CheckpointWeights(const FoundCheckpoint& found, const Layout& layout)
        : path_(found.directory), pieces_(found.directory, found.manifest) {
        for (const auto& [name, pieces] : pieces_.of("master"))
            tensors_[name] = {"F32", shape_of(pieces.back().elements.end, name, layout)};
    }
    const std::filesystem::path& path() const override { return path_; }
    const std::map<std::string, StoredTensor>& tensors() const override { return tensors_; }
    const std::map<std::string, std::string>& metadata() const override { return metadata_; }
    void read_bytes(const std::string& name, const ByteSink& sink) const override {
        for (const StoredPiece& piece : pieces_.of("master").at(name)) piece.shard->read_bytes(piece.name, sink);
    }

  private:
    std::filesystem::path path_;
    ShardPieces pieces_;
    std::map<std::string, StoredTensor> tensors_;
    std::map<std::string, std::string> metadata_;    // each shard has its own
};

}    // namespace

std::unique_ptr<WeightFile> open_masters(const FoundCheckpoint& found, const Layout& layout) {
    return std::make_unique<CheckpointWeights>(found, layout);
}

}    // namespace blip

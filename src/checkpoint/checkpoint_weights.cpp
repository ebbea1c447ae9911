// See checkpoint_weights.h.
#include "src/checkpoint/checkpoint_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "blip/base/error.h"
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

}    // namespace

CheckpointWeights::CheckpointWeights(const FoundCheckpoint& found, const Layout& layout) : path_(found.directory) {
    for (const ShardFile& file : found.manifest.shards) {
        shards_.push_back(WeightFile::open(found.directory / file.name));
        const WeightFile& shard = *shards_.back();
        for (const auto& [name, tensor] : shard.tensors()) {
            const std::optional<PieceName> piece = parse_piece_name(name);
            if (!piece || tensor.dtype != "F32" || tensor.shape != std::vector<std::int64_t>{piece->elements.length()})
                throw Error(ExitCode::bad_data,
                            fmt::format("{}: '{}' is no piece of a checkpoint", shard.path().string(), name));
            if (piece->kind == "master")
                pieces_[piece->param].push_back({piece->elements.begin, piece->elements.end, &shard, name});
        }
    }
    for (auto& [name, pieces] : pieces_) {
        std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
        std::int64_t at = 0;
        for (const Piece& piece : pieces) {
            if (piece.begin != at)
                throw Error(ExitCode::bad_data, fmt::format("{}: master of '{}' has elements {}..{} {}", path_.string(),
                                                            name, std::min(at, piece.begin), std::max(at, piece.begin),
                                                            piece.begin < at ? "twice" : "nowhere"));
            at = piece.end;
        }
        tensors_[name] = {"F32", shape_of(at, name, layout)};
    }
}

const std::vector<CheckpointWeights::Piece>& CheckpointWeights::pieces_of(const std::string& name) const {
    const auto found = pieces_.find(name);
    if (found == pieces_.end())
        throw Error(ExitCode::bad_data, fmt::format("{} has no tensor '{}'", path_.string(), name));
    return found->second;
}

void CheckpointWeights::read_bytes(const std::string& name, const ByteSink& sink) const {
    for (const Piece& piece : pieces_of(name)) piece.shard->read_bytes(piece.name, sink);
}

void CheckpointWeights::read(const std::string& name, const PieceSink& sink) const {
    for (const Piece& piece : pieces_of(name)) {
        piece.shard->read(
            piece.name, [&](std::int64_t first, std::span<const float> values) { sink(piece.begin + first, values); });
    }
}

}    // namespace blip

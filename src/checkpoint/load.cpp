// Weights and moments from a checkpoint of any number of ranks. Called by the trainer after find_newest_checkpoint.
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>

#include "blip/checkpoint/checkpoints.h"
#include "src/checkpoint/shard_pieces.h"

namespace blip {
namespace {

const float* data_of(const StoredPiece& piece) { return static_cast<const float*>(piece.values.const_data_ptr()); }

// The part of `stored` that this rank owns, into one of its shards (padding: zero). own: pieces of that shard, ordered
// by arena offset.
void copy_owned(const std::vector<StoredPiece>& stored, const std::vector<ParamPiece>& own, std::int64_t shard_begin,
                const at::Tensor& shard) {
    const at::Tensor host = at::zeros(shard.sizes(), at::kFloat);
    auto* values = static_cast<float*>(host.mutable_data_ptr());
    for (const ParamPiece& target : own) {
        const auto of_param = std::lower_bound(stored.begin(), stored.end(), target.param,
                                               [](const StoredPiece& piece, ParamId id) { return piece.param < id; });
        for (auto piece = of_param; piece != stored.end() && piece->param == target.param; ++piece) {
            const std::int64_t begin = std::max(piece->elements.begin, target.elements.begin);
            const std::int64_t end = std::min(piece->elements.end, target.elements.end);
            if (begin >= end) continue;
            std::memcpy(values + (target.arena_offset - shard_begin) + (begin - target.elements.begin),
                        data_of(*piece) + (begin - piece->elements.begin),
                        static_cast<std::size_t>(end - begin) * sizeof(float));
        }
    }
    shard.copy_(host);
}

}    // namespace

void load_checkpoint(const FoundCheckpoint& found, const Arena& arena, const ShardState& state,
                     const WeightSink& weights) {
    const ShardPieces pieces(found.directory, found.manifest, arena.layout(), {"master", "exp_avg", "exp_avg_sq"});
    for (const StoredPiece& piece : pieces.of("master")) {
        weights(arena.offset(piece.param) + piece.elements.begin,
                {data_of(piece), static_cast<std::size_t>(piece.elements.length())});
    }
    for (std::size_t bucket = 0; bucket < arena.buckets().size(); ++bucket) {
        const Range shard = arena.shard(static_cast<int>(bucket), state.rank);
        const std::vector<ParamPiece> own = arena.pieces(shard);
        copy_owned(pieces.of("exp_avg"), own, shard.begin, state.exp_avg[bucket]);
        copy_owned(pieces.of("exp_avg_sq"), own, shard.begin, state.exp_avg_sq[bucket]);
    }
    at::Tensor(state.update_count).fill_(static_cast<double>(found.manifest.update_count));
}

}    // namespace blip

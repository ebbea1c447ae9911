// Weights and moments from a checkpoint of any number of ranks. Called by the trainer after find_newest_checkpoint.
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>

#include "blip/base/error.h"
#include "blip/checkpoint/checkpoints.h"
#include "src/checkpoint/shard_pieces.h"

namespace blip {
namespace {

// Moments hold the same elements as masters, or nothing of a parameter: ShardPieces.
void check_model(const ShardPieces& pieces, const Layout& layout, const std::filesystem::path& directory) {
    const auto& masters = pieces.of("master");
    const auto& moments = pieces.of("exp_avg");
    const auto bad = [&](const std::string& name, const std::string& what) {
        throw Error(ExitCode::bad_data, "{}: parameter '{}' {}", directory.string(), name, what);
    };
    for (const auto& [name, of_param] : masters)
        if (layout.find(name) < 0) bad(name, "is unknown to this model");
    for (ParamId id = 0; id < layout.count(); ++id) {
        const std::string& name = layout.spec(id).name;
        const std::int64_t needed = layout.spec(id).element_count();
        const auto found = masters.find(name);
        const std::int64_t there = found == masters.end() ? 0 : found->second.back().elements.end;
        if (there != needed)
            bad(name, fmt::format("has {} of {} elements: another model, or an incomplete checkpoint", there, needed));
        if (!layout.is_frozen(id) && !moments.contains(name)) bad(name, "has no moments: it was frozen in that run");
    }
}

// The part of `kind` that this rank owns, into one of its shards (padding: zero).
void read_owned(const ShardPieces& pieces, const std::string& kind, const Arena& arena, Range range,
                const at::Tensor& shard) {
    const at::Tensor host = at::zeros(shard.sizes(), at::kFloat);
    auto* values = static_cast<float*>(host.mutable_data_ptr());
    for (const ParamPiece& own : arena.pieces(range)) {
        float* const to = values + (own.arena_offset - range.begin);
        pieces.read(kind, arena.layout().spec(own.param).name, own.elements,
                    [&](std::int64_t first, std::span<const float> part) {
                        std::copy(part.begin(), part.end(), to + (first - own.elements.begin));
                    });
    }
    shard.copy_(host);
}

}    // namespace

void load_checkpoint(const FoundCheckpoint& found, const Arena& arena, const ShardState& state,
                     const WeightSink& weights) {
    const ShardPieces pieces(found.directory, found.manifest);
    const Layout& layout = arena.layout();
    check_model(pieces, layout, found.directory);
    for (ParamId id = 0; id < layout.count(); ++id)
        pieces.read(
            "master", layout.spec(id).name, {0, layout.spec(id).element_count()},
            [&](std::int64_t first, std::span<const float> values) { weights(arena.offset(id) + first, values); });
    for (std::size_t bucket = 0; bucket < arena.trained_buckets(); ++bucket) {
        const Range shard = arena.shard(static_cast<int>(bucket), state.rank);
        read_owned(pieces, "exp_avg", arena, shard, state.exp_avg[bucket]);
        read_owned(pieces, "exp_avg_sq", arena, shard, state.exp_avg_sq[bucket]);
    }
    // an fp32 scalar, exact up to the 2^24 that a manifest may say
    at::Tensor(state.update_count).fill_(static_cast<double>(found.manifest.update_count));
}

}    // namespace blip

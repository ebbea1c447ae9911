// See snapshot.h.
#include "src/checkpoint/snapshot.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/narrow.h>
#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "blip/device/large_tensors.h"

namespace blip {
namespace {

// Calls body(name, elements of the shard that are this piece) for all parameters of a shard.
template <class Body>
void for_each_piece(const Arena& arena, Range own, const char* kind, const Body& body) {
    for (const ParamPiece& piece : arena.pieces(own))
        body(fmt::format("{}/{}[{}:{}]", kind, arena.layout().spec(piece.param).name, piece.elements.begin,
                         piece.elements.end),
             Range{piece.arena_offset - own.begin, piece.arena_offset - own.begin + piece.elements.length()});
}

struct Shard {
    const char* kind;
    const at::Tensor& values;
};
// Frozen buckets have no moments.
std::vector<Shard> shards_of(const ShardState& state, std::size_t bucket) {
    std::vector<Shard> shards = {{"master", state.masters[bucket]}};
    if (bucket < state.exp_avg.size()) {
        shards.push_back({"exp_avg", state.exp_avg[bucket]});
        shards.push_back({"exp_avg_sq", state.exp_avg_sq[bucket]});
    }
    return shards;
}

}    // namespace

Snapshot Snapshot::of_host(const Arena& arena, const ShardState& state) {
    drop_kept_large_tensors();
    Snapshot snapshot;
    snapshot.update_count_ = static_cast<std::int64_t>(state.update_count.item<float>());
    for (std::size_t bucket = 0; bucket < arena.buckets().size(); ++bucket) {
        const Range own = arena.shard(static_cast<int>(bucket), state.rank);
        for (const Shard& shard : shards_of(state, bucket)) {
            // Piece by piece: these fit into the memory of the activations, whole shards do not.
            for_each_piece(arena, own, shard.kind, [&](std::string name, Range part) {
                const at::Tensor source = at::narrow(shard.values, 0, part.begin, part.length());
                snapshot.tensors_.push_back({std::move(name), at::empty_like(source)});
                snapshot.sources_.push_back(source);
            });
        }
    }
    return snapshot;
}

Snapshot Snapshot::of_device(const Arena& arena, const ShardState& state, StagedState& staged) {
    const c10::Device device = arena.placement().device;
    Snapshot snapshot;
    staged.buckets.resize(arena.buckets().size());
    for (std::size_t bucket = 0; bucket < arena.buckets().size(); ++bucket) {
        const Range own = arena.shard(static_cast<int>(bucket), state.rank);
        at::Tensor& copies = staged.buckets[bucket];
        const std::vector<Shard> shards = shards_of(state, bucket);
        const auto rows = static_cast<std::int64_t>(shards.size());
        if (!copies.defined() || copies.size(1) != own.length())
            copies = staging_tensor({rows, own.length()}, at::kFloat, device);
        std::int64_t row = 0;
        for (const Shard& shard : shards) {
            const at::Tensor copy = copies.select(0, row++);
            copy.copy_(shard.values, /*non_blocking=*/true);
            for_each_piece(arena, own, shard.kind, [&](std::string name, Range part) {
                snapshot.tensors_.push_back({std::move(name), at::narrow(copy, 0, part.begin, part.length())});
            });
        }
    }
    if (!staged.update_count.defined()) staged.update_count = staging_tensor({}, at::kFloat, device);
    staged.update_count.copy_(state.update_count, /*non_blocking=*/true);
    snapshot.staged_count_ = staged.update_count;
    snapshot.arrival_.emplace(device).record();
    return snapshot;
}

void Snapshot::complete() {
    for (std::size_t i = 0; i < sources_.size(); ++i)
        std::memcpy(tensors_[i].tensor.mutable_data_ptr(), sources_[i].const_data_ptr(), sources_[i].nbytes());
    sources_.clear();
    if (!arrival_) return;
    while (!arrival_->reached()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    update_count_ = static_cast<std::int64_t>(*static_cast<const float*>(staged_count_.const_data_ptr()));
}

}    // namespace blip

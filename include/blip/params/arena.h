// All parameters in one flat buffer, their fp32 gradients in a second one of the same layout. Modules see tensor views;
// buckets, optimizer shards and checkpoint pieces are ranges of elements. Placement is the reverse of the declaration
// order, which is the order in which backward finishes gradients; the members of a join lie side by side. Frozen
// parameters (layout.h) lie in buckets of their own behind those of the others, where the buffer of gradients has
// ended. Legend: N ranks; a bucket's length is a multiple of 128 * N; padding elements stay zero. Weights enter from
// host memory in fp32 through a WeightSink, whatever the precision they end up in: an arena's own write_weights for
// evaluation, ShardedAdamW::write_weights for training, which keeps the exact values as masters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "blip/params/layout.h"

namespace blip {

// What the arena gives to a network: a tensor for each parameter and each join, by ParamId.
using Weights = std::vector<at::Tensor>;

// Elements [begin, end) of the arena.
struct Range {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t length() const { return end - begin; }
};

struct Bucket {
    Range range;                    // padded
    std::vector<ParamId> params;    // wholly inside, in arena order; a join's members are in one bucket
};

// A run of elements of one parameter: what checkpoints store.
struct ParamPiece {
    ParamId param = 0;
    Range elements;                   // within the flattened parameter
    std::int64_t arena_offset = 0;    // where elements.begin stands in the arena
};

// What a rank keeps of its shards of the arena beside the weights: checkpoints hold it, whatever optimizer updates it.
// Tensors are the optimizer's own. One fp32 tensor a bucket, aligned with arena.shard(bucket, rank); moments of the
// trained buckets only, which come first.
struct ShardState {
    int rank = 0;
    std::vector<at::Tensor> masters, exp_avg, exp_avg_sq;
    at::Tensor update_count;    // one fp32 element on the weights' device
};

// Where an arena's weights are and in which precision modules compute with them. Gradients are always fp32. With
// at::kBFloat16 the fp32 masters are the optimizer's (ShardedAdamW), each rank's own shards only. at::kHalf: for
// export.
struct ArenaPlacement {
    at::Device device = at::kCPU;
    at::ScalarType dtype = at::kFloat;
};

// Takes fp32 host values for the arena's elements [begin, begin + values.size()); done with them when it returns.
using WeightSink = std::function<void(std::int64_t begin, std::span<const float> values)>;

// Gives zeroed, page-aligned bytes on the arena's device (Collectives::allocate, or memory without a communicator).
using ArenaAllocator = std::function<std::shared_ptr<void>(std::size_t bytes)>;
ArenaAllocator host_allocator();
// LibTorch's own memory of a device; host_allocator on the CPU.
ArenaAllocator device_allocator(at::Device device);

class Arena {
  public:
    // bucket_bytes: a bucket closes once its gradients take at least this much. with_gradients: false for evaluation
    // only. allocator: gives memory of placement.device.
    Arena(const Layout& layout, int world_size, std::int64_t bucket_bytes, const ArenaAllocator& allocator,
          bool with_gradients = true, ArenaPlacement placement = {});
    const ArenaPlacement& placement() const { return placement_; }

    const Layout& layout() const { return layout_; }
    std::int64_t length() const { return length_; }
    const std::vector<Bucket>& buckets() const { return buckets_; }
    // The first ones of these: their parameters are trained, those of the others frozen.
    std::size_t trained_buckets() const { return trained_buckets_; }
    // Elements in them: as long is the buffer of gradients.
    std::int64_t trained_length() const { return trained_buckets_ == 0 ? 0 : buckets_[trained_buckets_ - 1].range.end; }
    // rank's 1/N of a bucket
    Range shard(int bucket, int rank) const;
    // the parts of parameters inside a range (padding left out), in arena order
    std::vector<ParamPiece> pieces(Range range) const;
    std::int64_t offset(ParamId id) const { return offsets_.at(static_cast<std::size_t>(id)); }

    // Views by id: of each parameter, then of each join. Leaves require grad and their .grad is preset to the gradient
    // view (if the arena has gradients), unless they are frozen. A bf16 weight has an fp32 gradient: backward passes
    // add up in fp32. A member of a join is no leaf: it requires no grad, and its .grad shows its part of the join's.
    const Weights& weights() const { return weights_; }
    // Flat 1-D views: [length] in the placement's precision, [trained_length] in fp32.
    at::Tensor flat_weights() const { return flat_weights_; }
    at::Tensor flat_gradients() const { return flat_gradients_; }
    // Addresses on the arena's device. weight_address: of an element, weight_element_bytes() each.
    void* weight_address(std::int64_t element) const;
    std::int64_t weight_element_bytes() const { return flat_weights_.element_size(); }
    float* gradient_data() const;
    // Of fp32 weights in host memory; throws for any other placement.
    float* weight_data() const;
    void zero_gradients();
    // A WeightSink: values are rounded to the arena's precision (nearest, ties to even).
    void write_weights(std::int64_t begin, std::span<const float> values);

  private:
    void place(std::int64_t bucket_bytes);

    Layout layout_;
    std::int64_t length_ = 0;
    std::vector<std::int64_t> offsets_;
    std::vector<Bucket> buckets_;
    std::size_t trained_buckets_ = 0;
    at::Tensor flat_weights_, flat_gradients_;
    Weights weights_;
    int world_size_;
    ArenaPlacement placement_;
};

// One rank's weights without gradients, in memory of the device: for evaluation and captions.
Arena weights_only_arena(const Layout& layout, ArenaPlacement placement = {});

// Fills every parameter from its initialiser; each element is a function of (seed, name, element index) only, so any
// number of ranks and threads and any placement gives the same weights. In training the sink is the optimizer's.
void initialise(const Arena& arena, std::uint64_t seed, const WeightSink& sink);
void initialise(Arena& arena, std::uint64_t seed);

}    // namespace blip

// Placement of parameters in flat buffers: see arena.h.
#include "blip/params/arena.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/narrow.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "blip/base/error.h"

namespace blip {

namespace {

constexpr std::int64_t alignment_bytes = 64;    // of each parameter: one cache line, one AVX-512 register
constexpr std::int64_t shard_elements = 128;

std::int64_t round_up(std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; }

// offset: in elements
at::Tensor view_of(const std::shared_ptr<void>& memory, std::int64_t offset, at::IntArrayRef shape,
                   ArenaPlacement placement) {
    auto* data =
        static_cast<std::byte*>(memory.get()) + offset * static_cast<std::int64_t>(c10::elementSize(placement.dtype));
    const auto options = at::TensorOptions().dtype(placement.dtype).device(placement.device);
    return at::from_blob(
        data, shape, [memory](void*) {}, options, placement.device);
}

}    // namespace

ArenaAllocator host_allocator() {
    return [](std::size_t bytes) {
        constexpr std::size_t page = 4096;
        void* memory = std::aligned_alloc(page, (std::max<std::size_t>(bytes, 1) + page - 1) / page * page);
        if (memory == nullptr) throw Error(ExitCode::internal, "out of memory: {} bytes for a parameter arena", bytes);
        std::memset(memory, 0, bytes);
        return std::shared_ptr<void>(memory, std::free);
    };
}

ArenaAllocator device_allocator(at::Device device) {
    if (device.is_cpu()) return host_allocator();
    return [device](std::size_t bytes) {
        const at::Tensor memory =
            at::zeros({static_cast<std::int64_t>(bytes)}, at::TensorOptions().dtype(at::kByte).device(device));
        return std::shared_ptr<void>(memory.mutable_data_ptr(), [memory](void*) {});
    };
}

Arena::Arena(const Layout& layout, int world_size, std::int64_t bucket_bytes, const ArenaAllocator& allocator,
             bool with_gradients, ArenaPlacement placement)
    : layout_(layout),
      offsets_(static_cast<std::size_t>(layout.count())),
      world_size_(world_size),
      placement_(placement) {
    if (placement.dtype != at::kFloat && placement.dtype != at::kBFloat16 && placement.dtype != at::kHalf)
        throw Error(ExitCode::internal, "weights in {} are not supported", c10::toString(placement.dtype));
    place(bucket_bytes);

    const ArenaPlacement of_gradients{placement.device, at::kFloat};
    const std::shared_ptr<void> weight_memory =
        allocator(static_cast<std::size_t>(length_) * c10::elementSize(placement.dtype));
    const std::shared_ptr<void> gradient_memory =
        with_gradients ? allocator(static_cast<std::size_t>(trained_length()) * sizeof(float)) : nullptr;
    flat_weights_ = view_of(weight_memory, 0, {length_}, placement);
    if (with_gradients) flat_gradients_ = view_of(gradient_memory, 0, {trained_length()}, of_gradients);
    for (ParamId id = 0; id < layout.leaf_ids(); ++id) {
        // Each view owns the buffer on its own, so that writing through flat_weights does not touch autograd's
        // versions.
        const std::vector<std::int64_t> shape = layout.shape(id);
        const std::int64_t begin = offset(layout.members(id).front());
        at::Tensor weight = view_of(weight_memory, begin, shape, placement);
        if (with_gradients && !layout.is_frozen(id)) {
            weight.set_requires_grad(layout.is_leaf(id));
            weight.mutable_grad() = view_of(gradient_memory, begin, shape, of_gradients);
        }
        weights_.push_back(std::move(weight));
    }
}

void Arena::place(std::int64_t bucket_bytes) {
    const auto element_bytes = static_cast<std::int64_t>(c10::elementSize(placement_.dtype));
    const std::int64_t unit = shard_elements * world_size_;
    Bucket open;
    std::int64_t at = 0;
    const auto close_bucket = [&] {
        at = open.range.begin + round_up(at - open.range.begin, unit);
        open.range.end = at;
        buckets_.push_back(open);
        open = Bucket{{at, at}, {}};
    };
    bool frozen = false;
    const auto end_of_trained = [&] {
        if (!open.params.empty()) close_bucket();
        trained_buckets_ = buckets_.size();
        frozen = true;
    };
    for (const ParamId leaf : layout_.placed_leaves()) {
        if (!frozen && layout_.is_frozen(leaf)) end_of_trained();
        for (const ParamId id : layout_.members(leaf)) {
            offsets_[static_cast<std::size_t>(id)] = at;
            open.params.push_back(id);
            at += layout_.spec(id).element_count();
        }
        at = round_up(at, alignment_bytes / element_bytes);
        if ((at - open.range.begin) * static_cast<std::int64_t>(sizeof(float)) >= bucket_bytes) close_bucket();
    }
    if (!frozen) end_of_trained();
    if (!open.params.empty()) close_bucket();
    length_ = at;
}

Range Arena::shard(int bucket, int rank) const {
    const Range range = buckets_.at(static_cast<std::size_t>(bucket)).range;
    const std::int64_t part = range.length() / world_size_;
    return {range.begin + rank * part, range.begin + (rank + 1) * part};
}

std::vector<ParamPiece> Arena::pieces(Range range) const {
    std::vector<ParamPiece> found;
    const auto later = std::partition_point(buckets_.begin(), buckets_.end(),
                                            [&](const Bucket& bucket) { return bucket.range.end <= range.begin; });
    for (auto bucket = later; bucket != buckets_.end() && bucket->range.begin < range.end; ++bucket) {
        for (ParamId id : bucket->params) {
            const std::int64_t begin = std::max(range.begin, offset(id));
            const std::int64_t end = std::min(range.end, offset(id) + layout_.spec(id).element_count());
            if (begin < end) found.push_back({id, {begin - offset(id), end - offset(id)}, begin});
        }
    }
    return found;
}

void* Arena::weight_address(std::int64_t element) const {
    return static_cast<std::byte*>(flat_weights_.data_ptr()) + element * weight_element_bytes();
}

float* Arena::weight_data() const {
    if (!placement_.device.is_cpu() || placement_.dtype != at::kFloat)
        throw Error(ExitCode::internal, "weight_data is asked for weights that are not fp32 in host memory");
    return static_cast<float*>(flat_weights_.data_ptr());
}
float* Arena::gradient_data() const { return static_cast<float*>(flat_gradients_.data_ptr()); }

void Arena::write_weights(std::int64_t begin, std::span<const float> values) {
    const auto count = static_cast<std::int64_t>(values.size());
    // from_blob asks for a writable pointer; nothing writes to it
    const at::Tensor host = at::from_blob(const_cast<float*>(values.data()), {count}, at::kFloat);
    at::narrow(flat_weights_, 0, begin, count).copy_(host);
}

void Arena::zero_gradients() { flat_gradients_.zero_(); }

Arena weights_only_arena(const Layout& layout, ArenaPlacement placement) {
    constexpr std::int64_t one_bucket_bytes = std::int64_t{1} << 62;
    return Arena(layout, 1, one_bucket_bytes, device_allocator(placement.device), false, placement);
}

}    // namespace blip

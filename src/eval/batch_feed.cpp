// See batch_feed.h.
#include "blip/eval/batch_feed.h"

#include <ATen/ops/from_blob.h>

#include "blip/kernels/device.h"

namespace blip {

struct BatchFeed::Impl {
    BatchLoader loader;
    c10::Device device;
};

namespace {

// A tensor over values that `owner` keeps alive.
template <class Values>
at::Tensor borrow(const std::shared_ptr<Batch>& owner, Values& values, at::IntArrayRef shape, at::ScalarType type) {
    return at::from_blob(
        values.data(), shape, [owner](void*) {}, at::TensorOptions().dtype(type));
}

}    // namespace

BatchFeed::BatchFeed(const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
                     const AugmentOptions& augment, int image_size, int threads, c10::Device device,
                     std::function<std::optional<BatchRequest>()> next_request)
    : impl_(new Impl{{dataset, split, data, augment, image_size, threads, std::move(next_request)}, device}) {}
BatchFeed::~BatchFeed() = default;

std::optional<FedBatch> BatchFeed::next() {
    std::optional<Batch> loaded = impl_->loader.next();
    if (!loaded) return std::nullopt;
    FedBatch fed;
    fed.batch = std::move(*loaded);
    const BatchRequest& request = fed.batch.request;
    const auto images = static_cast<std::int64_t>(request.images.size());
    const auto captions = static_cast<std::int64_t>(request.captions.size());
    const auto pixels = std::make_shared<Batch>();
    pixels->images_I3SS = std::move(fed.batch.images_I3SS);
    fed.images_I3SS = to_device(
        borrow(pixels, pixels->images_I3SS, {images, 3, fed.batch.image_size, fed.batch.image_size}, at::kByte),
        impl_->device);
    if (captions > 0) fed.tokens_CT = to_device(fed.batch.tokens_CT, {captions, fed.batch.token_count}, impl_->device);
    bool one_each = images == captions;
    for (std::size_t c = 0; one_each && c < request.image_of_caption.size(); ++c)
        one_each = request.image_of_caption[c] == static_cast<std::int64_t>(c);
    if (captions > 0 && !one_each)
        fed.image_of_caption_C = to_device(request.image_of_caption, {captions}, impl_->device);
    return fed;
}

}    // namespace blip

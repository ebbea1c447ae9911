// See batch_feed.h.
//
// On a GPU a batch is queued on a side stream: its pixels are copied, transformed, and an event is recorded. next()
// hands out the batch that was queued before and queues the one after it, if the loader has it by then or when the
// caller looks ahead, so that the side stream works while the caller computes. Nothing here waits for the device:
// - the caller's stream waits for the event before it reads the tensors;
// - the tensors were allocated on the side stream, so LibTorch's allocator would give their memory to its next user
// there
//   as soon as they are dropped, while the caller's stream may still read: record_stream makes it wait for that stream;
// - page-locked memory and the buffers of the transform: see device_images.h.
#include "blip/feed/batch_feed.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <map>
#include <mutex>

#include "blip/device/device.h"
#include "src/feed/device_images.h"
#include "src/feed/one_ahead.h"

namespace blip {

namespace {

// A tensor over values that `owner` keeps alive.
template <class Values>
at::Tensor borrow(const std::shared_ptr<Batch>& owner, Values& values, at::IntArrayRef shape, at::ScalarType type) {
    return at::from_blob(
        values.data(), shape, [owner](void*) {}, at::TensorOptions().dtype(type));
}

// All but the images, queued on the current stream.
FedBatch feed_captions(Batch&& batch, c10::Device device) {
    FedBatch fed;
    fed.batch = std::move(batch);
    const auto captions = static_cast<std::int64_t>(fed.batch.request.captions.size());
    if (captions > 0) fed.tokens_CT = to_device(fed.batch.tokens_CT, {captions, fed.batch.token_count}, device);
    return fed;
}

// The loader's own memory becomes the tensor.
FedBatch feed_on_host(Batch&& batch) {
    FedBatch fed = feed_captions(std::move(batch), c10::Device(c10::kCPU));
    const auto pixels = std::make_shared<Batch>();
    pixels->images_I3SS = std::move(fed.batch.images_I3SS);
    const auto images = static_cast<std::int64_t>(fed.batch.request.images.size());
    fed.images_I3SS =
        borrow(pixels, pixels->images_I3SS, {images, 3, fed.batch.image_size, fed.batch.image_size}, at::kByte);
    return fed;
}

// The stream that all feeds of a device share, one after the other: a stream of its own for each would take another
// part of LibTorch's memory, which no later feed could use again.
c10::Stream side_stream(c10::Device device) {
    static std::map<c10::DeviceIndex, c10::Stream> streams;
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    const auto found = streams.find(device.index());
    if (found != streams.end()) return found->second;
    const c10::impl::VirtualGuardImpl guard(device.type());
    return streams.emplace(device.index(), guard.getStreamFromGlobalPool(device)).first->second;
}

}    // namespace

// Batches on a side stream of a GPU, one ahead.
class BatchFeed::Ahead {
  public:
    Ahead(BatchLoader& loader, c10::Device device)
        : loader_(loader),
          guard_(device.type()),
          device_(device),
          side_(side_stream(device)),
          queued_(device.type()),
          images_(device),
          batches_([this] { return loader_.ready(); }, [this] { return queue_next(); }) {}

    std::optional<FedBatch> next() {
        std::optional<FedBatch> fed = batches_.take();
        if (!fed) return fed;
        const c10::Stream compute = guard_.getStream(device_);
        queued_.block(compute);    // before the next batch records it anew
        for (const at::Tensor* tensor : {&fed->images_I3SS, &fed->tokens_CT})
            if (tensor->defined()) tensor->record_stream(compute);
        batches_.look_ahead();
        return fed;
    }
    void look_ahead() { batches_.look_ahead(); }

  private:
    std::optional<FedBatch> queue_next() {
        std::optional<Batch> batch = loader_.next();
        if (!batch) return std::nullopt;
        const c10::StreamGuard on_side(side_);
        FedBatch fed = feed_captions(std::move(*batch), device_);
        fed.images_I3SS = images_.transform(fed.batch);
        queued_.record(side_);    // who waited for it before has waited for the last batch
        return fed;
    }

    BatchLoader& loader_;
    c10::impl::VirtualGuardImpl guard_;
    c10::Device device_;
    c10::Stream side_;
    c10::Event queued_;
    DeviceImages images_;
    OneAhead<FedBatch> batches_;
};

BatchFeed::BatchFeed(const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
                     const AugmentOptions& augment, int image_size, int threads, c10::Device device,
                     std::function<std::optional<BatchRequest>()> next_request)
    : loader_(dataset, split, data, augment, image_size, threads, std::move(next_request),
              device.is_cuda() ? staging_pixels(device) : PixelAllocator()),
      ahead_(device.is_cuda() ? std::make_unique<Ahead>(loader_, device) : nullptr) {}
BatchFeed::~BatchFeed() = default;

std::optional<FedBatch> BatchFeed::next() {
    if (ahead_) return ahead_->next();
    std::optional<Batch> batch = loader_.next();
    return batch ? std::optional(feed_on_host(std::move(*batch))) : std::nullopt;
}

void BatchFeed::look_ahead() {
    if (ahead_) ahead_->look_ahead();
}

}    // namespace blip

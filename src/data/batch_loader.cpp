// Worker threads read, verify and transform (or copy) the images of a few batches ahead. Work is handed out image by
// image, so that all threads help with the batch that is needed next; batches leave in the order of their requests, and
// which thread did what never shows in the result.
#include "blip/data/batch_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "blip/base/error.h"
#include "blip/image/augment.h"

namespace blip {

namespace {

// A batch in the making. Fields below batch are guarded by the loader's mutex; the batch's images are written by the
// threads that claimed them, each its own part.
struct Slot {
    Batch batch;
    std::size_t claimed = 0, done = 0;
    std::size_t failed_item = SIZE_MAX;    // lowest failed item: the same error whatever the thread count
    std::exception_ptr failure;
};

}    // namespace

struct BatchLoader::Impl {
    const PackedDataset& dataset;
    const SplitTables& split;
    AugmentOptions augment;
    int image_size;
    std::size_t capacity;
    std::function<std::optional<BatchRequest>()> next_request;
    PixelAllocator allocate_pixels;    // empty: pictures are transformed here

    mutable std::mutex mutex;
    std::condition_variable work_changed, batch_finished;
    std::deque<std::shared_ptr<Slot>> slots;
    bool requesting = false, ended = false, stopping = false;
    std::exception_ptr failure;    // thrown once, thrown always
    std::vector<std::thread> threads;

    Impl(const PackedDataset& d, const SplitTables& s, const AugmentOptions& a, int size, int prefetch,
         std::function<std::optional<BatchRequest>()> request, PixelAllocator allocate)
        : dataset(d),
          split(s),
          augment(a),
          image_size(size),
          capacity(static_cast<std::size_t>(std::max(prefetch, 1))),
          next_request(std::move(request)),
          allocate_pixels(std::move(allocate)) {}

    // images first, then one item for all captions
    static std::size_t items(const Slot& slot) { return slot.batch.request.images.size() + 1; }

    void work();
    void request_batch(std::unique_lock<std::mutex>& lock);
    void prepare(Slot& slot) const;
    void place_pictures(Batch& batch) const;
    AugmentPlan plan_of(const BatchRequest& request, std::size_t i, int height, int width) const;
    void load_image(Batch& batch, std::size_t i) const;
    void copy_crop(const Image& image, Batch& batch, std::size_t i) const;
    // The front batch is complete, or none will come. With the lock held.
    bool front_is_done() const { return slots.empty() ? ended : slots.front()->done == items(*slots.front()); }
    void load_captions(Batch& batch) const;
    void stop() {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        work_changed.notify_all();
        for (auto& thread : threads) thread.join();
        threads.clear();
    }
};

// Checks a request and makes room for its result.
void BatchLoader::Impl::prepare(Slot& slot) const {
    Batch& batch = slot.batch;
    const BatchRequest& request = batch.request;
    const auto outside = [](std::int64_t index, std::size_t count) {
        return index < 0 || static_cast<std::size_t>(index) >= count;
    };
    bool wrong = request.image_of_caption.size() != request.captions.size() ||
                 (!request.augment_keys.empty() && request.augment_keys.size() != request.images.size());
    for (const auto image : request.images) wrong |= outside(image, split.keys_I.size());
    for (const auto caption : request.captions) wrong |= outside(caption, split.lengths_C.size());
    for (const auto image : request.image_of_caption) wrong |= outside(image, request.images.size());
    if (wrong)
        throw Error(ExitCode::internal, fmt::format("batch request {} does not fit split {}", request.tag, split.name));

    batch.image_size = image_size;
    const auto side = static_cast<std::size_t>(image_size);
    if (allocate_pixels)
        place_pictures(batch);
    else
        batch.images_I3SS.resize(request.images.size() * 3 * side * side);
    for (const auto caption : request.captions)
        batch.token_count =
            std::max(batch.token_count, static_cast<int>(split.lengths_C[static_cast<std::size_t>(caption)]));
    batch.tokens_CT.resize(request.captions.size() * static_cast<std::size_t>(batch.token_count));
    batch.lengths_C.resize(request.captions.size());
}

AugmentPlan BatchLoader::Impl::plan_of(const BatchRequest& request, std::size_t i, int height, int width) const {
    return request.augment_keys.empty() ? evaluation_plan(height, width)
                                        : draw_training_plan(height, width, augment, request.augment_keys[i]);
}

// The raw form: the file's table of sizes tells all plans, and so how much memory the crops need.
void BatchLoader::Impl::place_pictures(Batch& batch) const {
    const BatchRequest& request = batch.request;
    for (std::size_t i = 0; i < request.images.size(); ++i) {
        const auto row = static_cast<std::size_t>(request.images[i]);
        AugmentPlan plan = plan_of(request, i, split.heights_I[row], split.widths_I[row]);
        const int height = plan.crop.height, width = plan.crop.width;
        batch.pictures_I.push_back({batch.pixel_bytes, height, width, std::move(plan)});
        batch.pixel_bytes += static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
    }
    batch.pixels = allocate_pixels(batch.pixel_bytes);
}

void BatchLoader::Impl::copy_crop(const Image& image, Batch& batch, std::size_t i) const {
    PlacedPicture& picture = batch.pictures_I[i];
    const auto row = static_cast<std::size_t>(batch.request.images[i]);
    if (image.height != split.heights_I[row] || image.width != split.widths_I[row])
        throw Error(ExitCode::bad_data, fmt::format("{} is {}x{}, its table says {}x{} (heights first); pack it again",
                                                    describe_image(split, batch.request.images[i]), image.height,
                                                    image.width, split.heights_I[row], split.widths_I[row]));
    Box& crop = picture.plan.crop;
    const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
    const std::size_t row_bytes = static_cast<std::size_t>(crop.width) * 3;
    const std::uint8_t* from =
        image.pixels_HWC.data() + static_cast<std::size_t>(crop.top) * stride + static_cast<std::size_t>(crop.left) * 3;
    std::uint8_t* to = batch.pixels.get() + picture.offset_bytes;
    for (int y = 0; y < crop.height; ++y, from += stride, to += row_bytes) std::copy_n(from, row_bytes, to);
    crop = {0, 0, crop.height, crop.width};
}

void BatchLoader::Impl::load_image(Batch& batch, std::size_t i) const {
    const BatchRequest& request = batch.request;
    const Image image = dataset.read_image(split, request.images[i]);
    if (allocate_pixels) return copy_crop(image, batch, i);
    const auto side = static_cast<std::size_t>(image_size);
    apply_plan(image, plan_of(request, i, image.height, image.width), image_size,
               batch.images_I3SS.data() + i * 3 * side * side);
}

void BatchLoader::Impl::load_captions(Batch& batch) const {
    const auto width = static_cast<std::size_t>(batch.token_count);
    for (std::size_t c = 0; c < batch.request.captions.size(); ++c) {
        const std::int64_t row = batch.request.captions[c];
        dataset.verify_caption(split, row);
        if (split.image_index_C[static_cast<std::size_t>(row)] !=
            batch.request.images[static_cast<std::size_t>(batch.request.image_of_caption[c])])
            throw Error(ExitCode::internal, describe_caption(split, row) + " was paired with another image");
        std::copy_n(split.tokens(row), width, batch.tokens_CT.begin() + static_cast<std::ptrdiff_t>(c * width));
        batch.lengths_C[c] = split.lengths_C[static_cast<std::size_t>(row)];
    }
}

// Fetches the next request and queues it. One thread at a time (requesting), without the lock while the caller's code
// runs.
void BatchLoader::Impl::request_batch(std::unique_lock<std::mutex>& lock) {
    requesting = true;
    lock.unlock();
    auto slot = std::make_shared<Slot>();
    bool last = false;
    try {
        if (auto request = next_request()) {
            slot->batch.request = std::move(*request);
            prepare(*slot);
        } else {
            last = true;
        }
    } catch (...) {
        slot->failure = std::current_exception();
    }
    lock.lock();
    requesting = false;
    ended = last || slot->failure;
    if (slot->failure) slot->claimed = slot->done = items(*slot);
    if (!last) slots.push_back(std::move(slot));
    work_changed.notify_all();
    batch_finished.notify_all();
}

void BatchLoader::Impl::work() {
    std::unique_lock lock(mutex);
    while (!stopping) {
        const auto unclaimed =
            std::find_if(slots.begin(), slots.end(), [](const auto& slot) { return slot->claimed < items(*slot); });
        if (unclaimed == slots.end()) {
            if (!requesting && !ended && slots.size() < capacity)
                request_batch(lock);
            else
                work_changed.wait(lock);
            continue;
        }
        const std::shared_ptr<Slot> slot = *unclaimed;
        const std::size_t item = slot->claimed++;
        lock.unlock();
        std::exception_ptr failure;
        try {
            if (item < slot->batch.request.images.size())
                load_image(slot->batch, item);
            else
                load_captions(slot->batch);
        } catch (...) {
            failure = std::current_exception();
        }
        lock.lock();
        if (failure && item < slot->failed_item) {
            slot->failed_item = item;
            slot->failure = failure;
        }
        if (++slot->done == items(*slot)) batch_finished.notify_all();
    }
}

BatchLoader::BatchLoader(const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
                         const AugmentOptions& augment, int image_size, int threads,
                         std::function<std::optional<BatchRequest>()> next_request, PixelAllocator allocate_pixels)
    : impl_(std::make_unique<Impl>(dataset, split, augment, image_size, data.prefetch_batches, std::move(next_request),
                                   std::move(allocate_pixels))) {
    if (image_size < 1) throw Error(ExitCode::usage, fmt::format("image size {} is not positive", image_size));
    try {
        for (int t = 0; t < std::max(threads, 1); ++t) impl_->threads.emplace_back([this] { impl_->work(); });
    } catch (...) {
        impl_->stop();
        throw;
    }
}

BatchLoader::~BatchLoader() { impl_->stop(); }

std::optional<Batch> BatchLoader::next() {
    std::unique_lock lock(impl_->mutex);
    if (impl_->failure) std::rethrow_exception(impl_->failure);
    impl_->batch_finished.wait(lock, [&] { return impl_->front_is_done(); });
    if (impl_->slots.empty()) return std::nullopt;
    const std::shared_ptr<Slot> slot = std::move(impl_->slots.front());
    impl_->slots.pop_front();
    impl_->work_changed.notify_all();
    if (slot->failure) {
        impl_->failure = slot->failure;
        impl_->ended = true;
        impl_->slots.clear();
        std::rethrow_exception(impl_->failure);
    }
    return std::move(slot->batch);
}

bool BatchLoader::ready() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->failure || impl_->front_is_done();
}

}    // namespace blip

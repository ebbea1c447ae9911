// A batch is a job of the prefetcher: its images, each by itself, and all its captions.
#include "blip/data/batch_loader.h"

#include <algorithm>
#include <utility>

#include "blip/base/error.h"
#include "blip/image/augment.h"

namespace blip {

struct BatchLoader::Job : Prefetcher::Job {
    const BatchLoader& loader;
    Batch batch;

    Job(const BatchLoader& of, BatchRequest request) : loader(of) {
        batch.request = std::move(request);
        loader.prepare(batch);
    }
    std::size_t parts() const override { return batch.request.images.size() + 1; }
    void load(std::size_t part) override {
        if (part < batch.request.images.size())
            loader.load_image(batch, part);
        else
            loader.load_captions(batch);
    }
};

BatchLoader::BatchLoader(const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
                         const AugmentOptions& augment, int image_size, int threads,
                         std::function<std::optional<BatchRequest>()> next_request, PixelAllocator allocate_pixels)
    : dataset_(dataset),
      split_(split),
      augment_(augment),
      image_size_(image_size),
      next_request_(std::move(next_request)),
      allocate_pixels_(std::move(allocate_pixels)),
      prefetcher_(
          [this]() -> std::unique_ptr<Prefetcher::Job> {
              std::optional<BatchRequest> next = next_request_();
              return next ? std::make_unique<Job>(*this, std::move(*next)) : nullptr;
          },
          data.prefetch_batches, threads) {}

std::optional<Batch> BatchLoader::next() {
    const std::unique_ptr<Prefetcher::Job> job = prefetcher_.next();
    if (!job) return std::nullopt;
    return std::move(static_cast<Job&>(*job).batch);
}

// Checks a request and makes room for its result.
void BatchLoader::prepare(Batch& batch) const {
    const BatchRequest& request = batch.request;
    const auto outside = [](std::int64_t index, std::size_t count) {
        return index < 0 || static_cast<std::size_t>(index) >= count;
    };
    bool wrong =
        (request.images.empty() ? !request.captions.empty() : request.captions.size() % request.images.size() != 0) ||
        (!request.augment_keys.empty() && request.augment_keys.size() != request.images.size());
    for (const auto image : request.images) wrong |= outside(image, split_.keys_I.size());
    for (const auto caption : request.captions)
        wrong |= caption != no_caption && outside(caption, split_.lengths_C.size());
    if (wrong) throw Error(ExitCode::internal, "batch request {} does not fit split {}", request.tag, split_.name);

    batch.image_size = image_size_;
    const auto side = static_cast<std::size_t>(image_size_);
    if (allocate_pixels_)
        place_pictures(batch);
    else
        batch.images_I3SS.resize(request.images.size() * 3 * side * side);
    for (const auto caption : request.captions)
        if (caption != no_caption)
            batch.token_count =
                std::max(batch.token_count, static_cast<int>(split_.lengths_C[static_cast<std::size_t>(caption)]));
    batch.tokens_CT.resize(request.captions.size() * static_cast<std::size_t>(batch.token_count));
    batch.lengths_C.resize(request.captions.size());
}

AugmentPlan BatchLoader::plan_of(const BatchRequest& request, std::size_t i, int height, int width) const {
    return request.augment_keys.empty() ? evaluation_plan(height, width)
                                        : draw_training_plan(height, width, augment_, request.augment_keys[i]);
}

// The raw form: the file's table of sizes tells all plans, and so how much memory the crops need.
void BatchLoader::place_pictures(Batch& batch) const {
    const BatchRequest& request = batch.request;
    for (std::size_t i = 0; i < request.images.size(); ++i) {
        const auto row = static_cast<std::size_t>(request.images[i]);
        AugmentPlan plan = plan_of(request, i, split_.heights_I[row], split_.widths_I[row]);
        const int height = plan.crop.height, width = plan.crop.width;
        batch.pictures_I.push_back({batch.pixel_bytes, height, width, std::move(plan)});
        batch.pixel_bytes += static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3;
    }
    batch.pixels = allocate_pixels_(batch.pixel_bytes);
}

void BatchLoader::copy_crop(const Image& image, Batch& batch, std::size_t i) const {
    PlacedPicture& picture = batch.pictures_I[i];
    const auto row = static_cast<std::size_t>(batch.request.images[i]);
    if (image.height != split_.heights_I[row] || image.width != split_.widths_I[row])
        throw Error(ExitCode::bad_data, "{} is {}x{}, its table says {}x{} (heights first); pack it again",
                    describe_image(split_, batch.request.images[i]), image.height, image.width, split_.heights_I[row],
                    split_.widths_I[row]);
    Box& crop = picture.plan.crop;
    const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
    const std::size_t row_bytes = static_cast<std::size_t>(crop.width) * 3;
    const std::uint8_t* from =
        image.pixels_HWC.data() + static_cast<std::size_t>(crop.top) * stride + static_cast<std::size_t>(crop.left) * 3;
    std::uint8_t* to = batch.pixels.get() + picture.offset_bytes;
    for (int y = 0; y < crop.height; ++y, from += stride, to += row_bytes) std::copy_n(from, row_bytes, to);
    crop = {0, 0, crop.height, crop.width};
}

void BatchLoader::load_image(Batch& batch, std::size_t i) const {
    const BatchRequest& request = batch.request;
    const Image image = dataset_.read_image(split_, request.images[i]);
    if (allocate_pixels_) return copy_crop(image, batch, i);
    const auto side = static_cast<std::size_t>(image_size_);
    apply_plan(image, plan_of(request, i, image.height, image.width), image_size_,
               batch.images_I3SS.data() + i * 3 * side * side);
}

void BatchLoader::load_captions(Batch& batch) const {
    const auto width = static_cast<std::size_t>(batch.token_count);
    for (std::size_t c = 0; c < batch.request.captions.size(); ++c) {
        const std::int64_t row = batch.request.captions[c];
        if (row == no_caption) continue;
        dataset_.verify_caption(split_, row);
        if (split_.image_index_C[static_cast<std::size_t>(row)] !=
            batch.request.images[c / batch.request.captions_per_image()])
            throw Error(ExitCode::internal, describe_caption(split_, row) + " was paired with another image");
        std::copy_n(split_.tokens(row), width, batch.tokens_CT.begin() + static_cast<std::ptrdiff_t>(c * width));
        batch.lengths_C[c] = split_.lengths_C[static_cast<std::size_t>(row)];
    }
}

}    // namespace blip

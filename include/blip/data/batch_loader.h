// Reads and verifies batches ahead of the computation, in the order they were asked for, and transforms their pictures,
// or leaves that to a GPU (raw form). Used by feed/batch_feed for training (training plan) and evaluation (squash).
// What to load comes from a callback, so that the loader knows nothing of ranks, steps or epochs. Legend: I images, C
// captions, T longest caption, S image size.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "blip/data/packed/dataset.h"
#include "blip/data/prefetcher.h"
#include "blip/image/device_transform.h"
#include "blip/options/options.h"

namespace blip {

// In the place of a caption: there is none.
inline constexpr std::int64_t no_caption = -1;

// What is wanted.
struct BatchRequest {
    std::vector<std::int64_t> images;    // image rows of the split
    // caption rows of the split, as many places for each image, image by image; empty: none (evaluation)
    std::vector<std::int64_t> captions;
    std::vector<std::uint64_t> augment_keys;    // one for each image; empty: evaluation transform
    std::int64_t tag = 0;                       // handed back

    std::size_t captions_per_image() const { return images.empty() ? 0 : captions.size() / images.size(); }
};

struct Batch {
    BatchRequest request;
    int image_size = 0;
    int token_count = 0;                      // T
    std::vector<std::uint8_t> images_I3SS;    // channels first, 0..255; empty in the raw form
    std::vector<std::int64_t> tokens_CT;      // padded with 0; [DEC] first; 0 where there is no caption
    std::vector<std::int64_t> lengths_C;      // likewise
    // The raw form: each picture's crop as it is in the file, and what is still to be done with it (the plan's crop is
    // the whole of what was copied).
    std::shared_ptr<std::uint8_t[]> pixels;
    std::size_t pixel_bytes = 0;
    std::vector<PlacedPicture> pictures_I;
};

// Memory for the pixels of a batch in raw form, uninitialised; kept as long as the batch keeps it. Called by the
// loader's threads, by one at a time, as soon as a batch is asked for.
using PixelAllocator = std::function<std::shared_ptr<std::uint8_t[]>(std::size_t bytes)>;

class BatchLoader {
  public:
    // next_request: called from one thread at a time, in order; nullopt ends the sequence. It must own what it
    // captures. dataset and split must outlive the loader. threads >= 1. allocate_pixels: asks for the raw form.
    BatchLoader(const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
                const AugmentOptions& augment, int image_size, int threads,
                std::function<std::optional<BatchRequest>()> next_request, PixelAllocator allocate_pixels = {});

    // The next batch in order, nullopt after the last. Rethrows what a thread threw (damaged sample: bad_data, named).
    std::optional<Batch> next();
    // Whether next() would return, or throw, without waiting.
    bool ready() const { return prefetcher_.ready(); }

  private:
    struct Job;
    void prepare(Batch& batch) const;
    void place_pictures(Batch& batch) const;
    AugmentPlan plan_of(const BatchRequest& request, std::size_t i, int height, int width) const;
    void load_image(Batch& batch, std::size_t i) const;
    void copy_crop(const Image& image, Batch& batch, std::size_t i) const;
    void load_captions(Batch& batch) const;

    const PackedDataset& dataset_;
    const SplitTables& split_;
    AugmentOptions augment_;
    int image_size_;
    std::function<std::optional<BatchRequest>()> next_request_;
    PixelAllocator allocate_pixels_;    // empty: pictures are transformed here
    Prefetcher prefetcher_;             // last: its threads use the others, and end when it goes, whatever is queued
};

}    // namespace blip

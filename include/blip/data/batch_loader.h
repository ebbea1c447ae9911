// Reads, verifies and transforms batches ahead of the computation, in the order they were asked for.
// Used by the trainer (training plan) and the evaluator (squash). What to load comes from a callback, so that the
// loader knows nothing of ranks, steps or epochs. Legend: I images, C captions, T longest caption, S image size.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "blip/data/packed_dataset.h"
#include "blip/options/options.h"

namespace blip {

// What is wanted. captions may be empty (evaluation). image_of_caption[c] indexes images.
struct BatchRequest {
    std::vector<std::int64_t> images;              // image rows of the split
    std::vector<std::int64_t> captions;            // caption rows of the split
    std::vector<std::int64_t> image_of_caption;    // one for each caption
    std::vector<std::uint64_t> augment_keys;       // one for each image; empty: evaluation transform
    std::int64_t tag = 0;                          // handed back (micro-batch index, for instance)
};

struct Batch {
    BatchRequest request;
    int image_size = 0;
    int token_count = 0;                      // T
    std::vector<std::uint8_t> images_I3SS;    // channels first, 0..255
    std::vector<std::int64_t> tokens_CT;      // padded with 0; [DEC] first
    std::vector<std::int64_t> lengths_C;
};

class BatchLoader {
  public:
    // next_request: called from one thread at a time, in order; nullopt ends the sequence. It must own what it
    // captures. dataset and split must outlive the loader. threads >= 1.
    BatchLoader(const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
                const AugmentOptions& augment, int image_size, int threads,
                std::function<std::optional<BatchRequest>()> next_request);
    ~BatchLoader();    // stops the threads, whatever is still queued

    // The next batch in order, nullopt after the last. Rethrows what a thread threw (damaged sample: bad_data, named).
    std::optional<Batch> next();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}    // namespace blip

// Batches of a loader as tensors on the model's device. On a GPU the loader's threads only read and copy; pictures are
// transformed by the device, on a stream of its own, while the batch before is computed. Used by the trainer and the
// evaluator. Legend: I images, C captions, T longest caption, S image size.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>

#include "blip/data/batch_loader.h"

namespace blip {

struct FedBatch {
    Batch batch;               // what the loader gave: request, tokens and lengths on the host
    at::Tensor images_I3SS;    // uint8, on the device
    at::Tensor tokens_CT;      // int64, on the device; undefined without captions. As many for each image, in order
};

class BatchFeed {
  public:
    // Arguments as BatchLoader's. device: where the tensors shall be.
    BatchFeed(const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
              const AugmentOptions& augment, int image_size, int threads, c10::Device device,
              std::function<std::optional<BatchRequest>()> next_request);
    ~BatchFeed();

    // The next batch in order, nullopt after the last. What the calling thread computes next sees its tensors; they
    // stay valid as long as they are held. Rethrows what the loader threw.
    std::optional<FedBatch> next();
    // Begins the batch after the last, if the loader has it by now: worth a call once the caller has queued work on the
    // device. next() does the same. Never waits; on the CPU there is nothing to begin.
    void look_ahead();

  private:
    class Ahead;
    BatchLoader loader_;
    std::unique_ptr<Ahead> ahead_;    // on a GPU
};

}    // namespace blip

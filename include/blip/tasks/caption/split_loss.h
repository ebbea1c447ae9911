// The loss on a split as it stands: teacher-forced, whole pictures, no dropout and no stochastic depth, over all ranks.
// The number to compare with the training loss: the same formula (loss.h), label smoothing included. Called after each
// epoch by CaptionEvaluation.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "blip/comm/communicator.h"
#include "blip/data/batch_loader.h"
#include "blip/data/packed/dataset.h"
#include "blip/model/captioner.h"
#include "blip/options/options.h"

namespace blip {

struct SplitLossOptions {
    double label_smoothing = 0;
    int captions = 1;           // computed at once: as many as in training need no more memory than that
    std::int64_t images = 0;    // the first so many of the split
    int loader_threads = 1;
};

// The same on all ranks.
struct SplitLoss {
    double loss = 0;             // mean over the trained tokens of the captions; 0 without any
    std::int64_t tokens = 0;     // of them
    double seconds = 0;          // wall time of this rank
    bool interrupted = false;    // stop_requested said so on some rank: nothing else is valid
};

// What `rank` of `size` computes: each of the first `images` images of the split once, dealt by stride, with all of its
// captions. Images have places for as many captions as they have on average, if so many fit into a batch; one with more
// is computed again for the rest. In the order of the computation.
std::vector<BatchRequest> loss_requests(const SplitTables& split, std::int64_t images, int captions, int rank,
                                        int size);

// weights: on device; no graph is built. Collective.
SplitLoss split_loss(const Captioner& captioner, const Weights& weights, c10::Device device,
                     const PackedDataset& dataset, const SplitTables& split, const DataOptions& data,
                     const SplitLossOptions& options, const std::function<bool()>& stop_requested,
                     HostMessages& communicator);

}    // namespace blip

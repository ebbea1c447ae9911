// Captioning as a task (tasks/task.h): the captioner's parameters, cross-entropy or self-critical training, captions of
// the evaluation's splits and CIDEr + Bleu_4 to choose the best weights by. Made by the train verb.
#pragma once

#include <memory>

#include "blip/comm/communicator.h"
#include "blip/data/packed/dataset.h"
#include "blip/metrics/document_frequencies.h"
#include "blip/model/captioner.h"
#include "blip/options/options.h"
#include "blip/tasks/task.h"

namespace blip {

class CaptionTask {
  public:
    // All but frequencies must outlive it. options: complete. start: of a run that is kept near the weights of --init
    // (--kl). frequencies: the reward's (--cider-df).
    CaptionTask(const Options& options, const PackedDataset& dataset, HostMessages& communicator,
                const Weights* start = nullptr, const DocumentFrequencies* frequencies = nullptr);

    const Captioner& captioner() const { return captioner_; }
    Task task() const;

  private:
    const Options& options_;
    const PackedDataset& dataset_;
    HostMessages& communicator_;
    Captioner captioner_;
    Layout layout_;    // the captioner's, with what is frozen
    std::unique_ptr<const Objective> objective_;
};

}    // namespace blip

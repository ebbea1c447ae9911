// What a step's batch is dealt in: a caption with its picture, or a picture with up to K of its captions. A pure
// function of the split, seed and epoch. Made by objectives, walked by the trainer.
#pragma once

#include <cstdint>
#include <vector>

#include "blip/data/batch_loader.h"
#include "blip/data/packed/dataset.h"
#include "blip/data/shard_sampler.h"

namespace blip {

class TrainingUnits {
  public:
    // captions_per_picture 1: every caption is a unit. More: every picture that has captions is one, and has places for
    // so many, whether it has them or not. The split must outlive it.
    // whole_pictures: with 1 too, every picture is one unit.
    TrainingUnits(const SplitTables& split, int captions_per_picture, std::uint64_t seed, bool whole_pictures = false);

    std::int64_t count() const;
    int captions_per_unit() const { return places_; }
    // pictures that are visited in an epoch, each with all of its captions that are
    std::int64_t pictures() const { return static_cast<std::int64_t>(pictures_.size()); }
    // Captions of an epoch over all units: of a picture as many as there are places, or all its own.
    std::int64_t captions_of_epoch() const;
    // captions of the picture that has the most
    std::int64_t most_captions() const;

    std::int64_t image(std::int64_t unit) const;
    // Caption rows of a unit in an epoch, captions_per_unit() of them: drawn without replacement by (seed, epoch,
    // picture), or all the picture's own in the file's order and then no_caption.
    std::vector<std::int64_t> captions(std::int64_t epoch, std::int64_t unit) const;
    // What a loader reads and draws for a micro-batch of an epoch.
    BatchRequest request(const MicroBatch& micro, std::int64_t epoch) const;

  private:
    struct Picture {
        std::int64_t image, first_caption, captions;
    };

    const SplitTables* split_;
    int places_;
    bool by_caption_;
    std::uint64_t seed_;
    std::vector<Picture> pictures_;
};

}    // namespace blip

// Which units a rank computes in a step: a pure function of (seed, epoch, step, rank, size). What a unit is, a caption
// or a picture with several, says data/training_units. Takes integers only, so that any world is testable in one
// process. Called by the trainer.
#pragma once

#include <cstdint>
#include <vector>

namespace blip {

// One micro-batch of the global batch.
struct MicroBatch {
    std::int64_t first = 0;             // position of its first caption in the global batch
    std::vector<std::int64_t> units;    // micro_batch / captions_per_unit of them
};

// Order: one permutation of the units per epoch keyed by (seed, epoch); step k takes positions [k*G, (k+1)*G), where G
// is the global batch in units; the last partial global batch is dropped. The G/M micro-batches of a step are dealt to
// the ranks in contiguous runs whose lengths differ by at most one (the first ranks take the longer runs). A rank may
// get none when there are more ranks than micro-batches.
class ShardSampler {
  public:
    // Batches are counted in captions, as the options are. Throws usage if captions_per_unit does not divide
    // micro_batch and that global_batch, or if no full global batch exists.
    ShardSampler(std::int64_t unit_count, int global_batch, int micro_batch, std::uint64_t seed, int rank, int size,
                 int captions_per_unit = 1);

    std::int64_t steps_per_epoch() const { return unit_count_ / global_units_; }
    int micro_batches_per_step() const { return global_units_ / micro_units_; }
    // this rank's first micro-batch and how many
    int first_micro_batch() const;
    int micro_batch_count() const;
    // share of the ranks' time that is used: mean / longest run of micro-batches, in (0, 1]
    double efficiency() const;

    // all units of a step, in global order
    std::vector<std::int64_t> global_units(std::int64_t epoch, std::int64_t step) const;
    // this rank's part
    std::vector<MicroBatch> micro_batches(std::int64_t epoch, std::int64_t step) const;

  private:
    const std::vector<std::int64_t>& permutation(std::int64_t epoch) const;

    std::int64_t unit_count_;
    int captions_per_unit_;
    int global_units_, micro_units_;
    std::uint64_t seed_;
    int rank_;
    int size_;
    mutable std::int64_t cached_epoch_ = -1;
    mutable std::vector<std::int64_t> cached_permutation_;
};

}    // namespace blip

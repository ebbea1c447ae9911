// The order of units and who computes which; see the header.
#include "blip/data/shard_sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "blip/base/error.h"
#include "blip/base/random.h"

namespace blip {

ShardSampler::ShardSampler(std::int64_t unit_count, int global_batch, int micro_batch, std::uint64_t seed, int rank,
                           int size, int captions_per_unit)
    : unit_count_(unit_count),
      captions_per_unit_(captions_per_unit),
      global_units_(global_batch / std::max(captions_per_unit, 1)),
      micro_units_(micro_batch / std::max(captions_per_unit, 1)),
      seed_(seed),
      rank_(rank),
      size_(size) {
    if (size < 1 || rank < 0 || rank >= size)
        throw Error(ExitCode::internal, "rank {} of {} ranks does not exist", rank, size);
    if (global_batch < 1 || micro_batch < 1 || global_batch % micro_batch != 0)
        throw Error(ExitCode::usage, "--micro-batch {} does not divide --global-batch {}", micro_batch, global_batch);
    if (captions_per_unit < 1 || micro_batch % captions_per_unit != 0)
        throw Error(ExitCode::usage, "--micro-batch {} is no multiple of the {} captions of a picture", micro_batch,
                    captions_per_unit);
    if (unit_count == 0)
        throw Error(ExitCode::usage, "there are no captions to train on: pack pictures of the split train with some");
    if (unit_count < global_units_) {
        const std::int64_t captions = unit_count * captions_per_unit, fitting = captions / micro_batch * micro_batch;
        throw Error(ExitCode::usage, "--global-batch {} is larger than the {} captions there are{}; {}", global_batch,
                    captions,
                    captions_per_unit > 1 ? fmt::format(", {} of {} pictures", captions_per_unit, unit_count) : "",
                    fitting > 0 ? fmt::format("--global-batch {} would fit", fitting)
                                : fmt::format("--global-batch {0} --micro-batch {0} would fit", captions));
    }
}

int ShardSampler::first_micro_batch() const {
    const int share = micro_batches_per_step() / size_, longer = micro_batches_per_step() % size_;
    return rank_ * share + std::min(rank_, longer);
}

int ShardSampler::micro_batch_count() const {
    const int share = micro_batches_per_step() / size_, longer = micro_batches_per_step() % size_;
    return share + (rank_ < longer ? 1 : 0);
}

double ShardSampler::efficiency() const {
    const int count = micro_batches_per_step();
    const int longest = (count + size_ - 1) / size_;
    return static_cast<double>(count) / (static_cast<double>(longest) * size_);
}

// Fisher-Yates from the top; every draw is keyed by (seed, epoch) alone.
const std::vector<std::int64_t>& ShardSampler::permutation(std::int64_t epoch) const {
    if (epoch == cached_epoch_) return cached_permutation_;
    cached_epoch_ = -1;
    cached_permutation_.resize(static_cast<std::size_t>(unit_count_));
    std::iota(cached_permutation_.begin(), cached_permutation_.end(), std::int64_t{0});
    RandomStream random(random_key(seed_, RandomPurpose::shuffle, {static_cast<std::uint64_t>(epoch)}));
    for (std::size_t last = cached_permutation_.size(); last > 1; --last)
        std::swap(cached_permutation_[last - 1], cached_permutation_[random.below(last)]);
    cached_epoch_ = epoch;
    return cached_permutation_;
}

std::vector<std::int64_t> ShardSampler::global_units(std::int64_t epoch, std::int64_t step) const {
    if (epoch < 0 || step < 0 || step >= steps_per_epoch())
        throw Error(ExitCode::internal, "epoch {} has no step {}: there are {}", epoch, step, steps_per_epoch());
    const auto& order = permutation(epoch);
    const auto first = order.begin() + step * global_units_;
    return {first, first + global_units_};
}

std::vector<MicroBatch> ShardSampler::micro_batches(std::int64_t epoch, std::int64_t step) const {
    const std::vector<std::int64_t> units = global_units(epoch, step);
    std::vector<MicroBatch> mine(static_cast<std::size_t>(micro_batch_count()));
    std::int64_t first = static_cast<std::int64_t>(first_micro_batch()) * micro_units_;
    for (auto& micro : mine) {
        micro.first = first * captions_per_unit_;
        micro.units.assign(units.begin() + first, units.begin() + first + micro_units_);
        first += micro_units_;
    }
    return mine;
}

}    // namespace blip

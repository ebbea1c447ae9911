// What a run trains: the network's parameters, the objective of a step, and the evaluation after an epoch. train knows
// these interfaces and nothing behind them; tasks/caption is the task of the program, and
// tests/unit/train/objective_test.cpp has another, small one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "blip/data/training_units.h"
#include "blip/feed/batch_feed.h"
#include "blip/params/arena.h"

namespace blip {

// The step that a micro-batch belongs to.
struct StepShare {
    std::uint64_t seed = 0;    // with the step, the key of all that is drawn
    std::int64_t step = 0;     // steps done before it
    double weight = 1;         // of the global batch: the sum of its captions' weights, at least 1
    int micro_batches = 1;     // of the global batch
    // Objective::sum_count() of them, of this rank: loss() adds what it tells of the step beside the loss.
    std::span<double> sums{};
    // fp64 [Objective::device_sum_count()] on the device: likewise, of what the host does not know in a step.
    at::Tensor device_sums{};
};

class Objective {
  public:
    virtual ~Objective() = default;
    // What the training split is dealt in.
    virtual const TrainingUnits& units() const = 0;
    // What a caption of the training split, by its row or no_caption, counts for in StepShare::weight: known on every
    // rank before anything is computed.
    virtual std::int64_t weight(std::int64_t caption) const = 0;
    // Floating-point operations of the matrix products of training on a unit with these captions, forward and backward,
    // without what is recomputed or padding.
    virtual double flops(const std::vector<std::int64_t>& captions) const = 0;
    // A scalar fp32 tensor on the graph: this micro-batch's part of the global batch's loss. The parts of all
    // micro-batches, and their gradients, are added. batch.request.tag: position of its first caption in the global
    // batch. What is drawn depends on seed, step and position in the global batch alone.
    virtual at::Tensor loss(const Weights& weights, const FedBatch& batch, const StepShare& step) const = 0;
    // How many sums loss() fills. They are added up over micro-batches and ranks, a step late, with the loss.
    virtual std::size_t sum_count() const { return 0; }
    virtual std::size_t device_sum_count() const { return 0; }
    // Members of the log's record of a step, made of those sums, the device's behind the host's.
    virtual std::map<std::string, double> told(std::span<const double>) const { return {}; }
    // What figures of this objective depend on, in one line for logs; empty: nothing beyond the options.
    virtual std::string signature() const { return {}; }
};

class Evaluation {
  public:
    virtual ~Evaluation() = default;
    // Collective. On rank 0 {"splits": {NAME: {"scores": {...}, ...}}}, and where there is a score to choose the best
    // weights by, "selection": {"split", "metric", "score"}. nullopt: stop_requested said so on some rank.
    virtual std::optional<nlohmann::json> run(int epoch, const std::function<bool()>& stop_requested) = 0;
    // "metric" of the selection; the highest score is the best. Best weights chosen by another count as none.
    virtual std::string selection_metric() const = 0;
    // What goes with the best weights: entries of their note, and files beside them, name -> text.
    virtual nlohmann::json note() const = 0;
    virtual std::map<std::string, std::string> files() const = 0;
};

struct Task {
    const Layout& layout;
    const Objective& objective;
    // Makes the evaluation of these weights, which outlive it; empty: nothing is evaluated.
    std::function<std::unique_ptr<Evaluation>(const Weights&, c10::Device)> evaluation;
};

}    // namespace blip

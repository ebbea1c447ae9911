// See memory.h.
#include "blip/train/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "blip/base/gpu_presence.h"
#include "blip/base/log.h"
#include "blip/base/process.h"
#include "blip/comm/run_together.h"
#include "blip/report/progress.h"
#include "src/train/train_step.h"

namespace blip {
namespace {

// Of the first epoch: the one whose longest caption is longest, of these the one with the most tokens.
BatchRequest longest_micro_batch(const SplitTables& split, const Objective& objective, const TrainOptions& options) {
    const StepPlan plan(split, objective, options, 0, 1);
    const ShardSampler& epoch = plan.sampler();
    BatchRequest found;
    std::pair<std::int64_t, std::int64_t> most{-1, -1};
    for (std::int64_t step = 0; step < epoch.steps_per_epoch(); ++step) {
        for (const MicroBatch& micro : epoch.micro_batches(0, step)) {
            BatchRequest request = objective.units().request(micro, 0);
            std::pair<std::int64_t, std::int64_t> own{0, 0};
            for (const std::int64_t caption : request.captions) {
                if (caption == no_caption) continue;
                const std::int64_t length = split.lengths_C[static_cast<std::size_t>(caption)];
                own = {std::max(own.first, length), own.second + length};
            }
            if (own <= most) continue;
            most = own;
            found = std::move(request);
        }
    }
    return found;
}

// On one rank, or the most of all.
struct Measured {
    double micro_batch_s = 0, step_s = 0, host_bytes = 0, device_bytes = 0;
};

// What the second of two steps took.
Measured measure_own(const Options& options, const SplitTables& split, const PackedDataset& dataset, const Task& task,
                     const StepPlan& whole, const BatchRequest& longest, ArenaPlacement placement,
                     HostMessages& communicator, Collectives& collectives) {
    // a micro-batch for every rank that has one
    TrainOptions one_each = options.train;
    one_each.global_batch *= std::min(communicator.size(), whole.sampler().micro_batches_per_step());
    one_each.global_batch /= whole.sampler().micro_batches_per_step();
    const StepPlan plan(split, task.objective, one_each, communicator.rank(), communicator.size());
    Arena arena = training_arena(task, options.comm, placement, communicator.size(), collectives);
    GradReducer reducer(arena, collectives);
    ShardedAdamW optimizer(arena, collectives, options.optim);
    initialise(arena, options.train.seed, optimizer.weight_sink());
    TrainStep step(one_each, task.objective, arena, plan, reducer, optimizer);
    constexpr int steps = 2;
    BatchFeed feed(dataset, split, options.data, options.augment, options.model.image_size, options.data.loader_threads,
                   placement.device,
                   [&, left = steps * plan.sampler().micro_batch_count()]() mutable -> std::optional<BatchRequest> {
                       if (left-- == 0) return std::nullopt;
                       return longest;
                   });
    StepRecord record;
    for (TrainState state; state.global_step < steps; ++state.global_step)
        record = step.run(feed, state, options.optim.init_lr, [] {}).finish(collectives).record;
    Measured measured;
    measured.micro_batch_s = (record.forward_ms + record.backward_ms) / 1000;
    measured.step_s =
        whole.sampler().micro_batch_count() * measured.micro_batch_s + (record.update_ms + record.reduce_ms) / 1000;
    measured.host_bytes = static_cast<double>(peak_resident_bytes());
    if (placement.device.is_cuda()) measured.device_bytes = static_cast<double>(gpu_memory().used_bytes);
    return measured;
}

Measured most_of_all(const Measured& own, HostMessages& communicator) {
    Measured most;
    const nlohmann::json told{own.micro_batch_s, own.step_s, own.host_bytes, own.device_bytes};
    for (const nlohmann::json& rank : all_gather_json(communicator, told, "what was measured")) {
        const auto of_rank = rank.get<std::array<double, 4>>();
        most = {std::max(most.micro_batch_s, of_rank[0]), std::max(most.step_s, of_rank[1]),
                std::max(most.host_bytes, of_rank[2]), std::max(most.device_bytes, of_rank[3])};
    }
    return most;
}

// The number in a file of one, or none ("max").
bool read_count(const std::string& file, std::uint64_t& count) {
    return static_cast<bool>(std::ifstream(file) >> count);
}

// What a control group (version 2) and those above it leave: limit less use, pages of files counted as free.
std::uint64_t left_in_group() {
    std::uint64_t left = std::numeric_limits<std::uint64_t>::max();
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (!line.starts_with("0::")) continue;
        for (std::string path = line.substr(3);; path.resize(path.rfind('/'))) {
            const std::string folder = "/sys/fs/cgroup" + path;
            std::uint64_t limit = 0, used = 0;
            if (read_count(folder + "/memory.max", limit) && read_count(folder + "/memory.current", used)) {
                std::ifstream statistics(folder + "/memory.stat");
                std::string name;
                for (std::uint64_t value = 0; statistics >> name >> value;)
                    if (name == "inactive_file") used -= std::min(used, value);
                left = std::min(left, limit - std::min(limit, used));
            }
            if (path.empty() || path.rfind('/') == std::string::npos) break;
        }
    }
    return left;
}

}    // namespace

std::vector<MemoryPart> state_memory(std::int64_t parameters, std::int64_t frozen, ArenaPlacement placement,
                                     int ranks) {
    const bool bf16 = placement.dtype == at::kBFloat16;
    const double fp32 = 4.0 * static_cast<double>(parameters);
    const double trained = 4.0 * static_cast<double>(parameters - frozen);
    std::vector<MemoryPart> parts = {{bf16 ? "weights in bf16" : "weights", bf16 ? fp32 / 2 : fp32},
                                     {"gradients", trained},
                                     {"moments of this rank's part", 2 * trained / ranks}};
    if (bf16) parts.push_back({"fp32 masters of this rank's part", fp32 / ranks});
    // of every bucket, on their way; NCCL reduces without
    if (placement.device.is_cpu() && ranks > 1)
        parts.push_back({"gradients received from other ranks", trained * (ranks - 1) / ranks});
    parts.push_back({"a checkpoint's copy of this rank's weights and moments", (fp32 + 2 * trained) / ranks, true});
    return parts;
}

void measure_run(const Options& options, const PackedDataset& dataset, const Task& task, ArenaPlacement placement,
                 HostMessages& communicator, Collectives& collectives) {
    const SplitTables& split = dataset.split("train");
    const StepPlan whole(split, task.objective, options.train, communicator.rank(), communicator.size());
    const BatchRequest longest = longest_micro_batch(split, task.objective, options.train);
    const Measured most = most_of_all(
        measure_own(options, split, dataset, task, whole, longest, placement, communicator, collectives), communicator);
    std::int32_t tokens = 0;
    for (const std::int64_t caption : longest.captions)
        if (caption != no_caption)
            tokens = std::max<std::int32_t>(tokens, split.lengths_C[static_cast<std::size_t>(caption)]);
    const std::int64_t steps = whole.last_step();
    log_info(
        "measured: a micro-batch of {} captions of up to {} tokens takes {:.3g} s, a step {:.3g} s on the slowest "
        "rank; {} steps take {} at most, evaluations not counted",
        options.train.micro_batch, tokens, most.micro_batch_s, most.step_s, steps,
        format_duration(most.step_s * static_cast<double>(steps)));
    log_info("measured: a step takes {}{} of memory a rank",
             most.device_bytes > 0
                 ? fmt::format("{} of its GPU (all that is in use there) and ", format_bytes(most.device_bytes))
                 : "",
             format_bytes(most.host_bytes));
}

std::uint64_t available_host_bytes() {
    std::ifstream memory("/proc/meminfo");
    for (std::string line; std::getline(memory, line);) {
        std::istringstream words(line);
        std::string name;
        std::uint64_t kib = 0;
        if (words >> name >> kib && name == "MemAvailable:") return std::min(kib * 1024, left_in_group());
    }
    return 0;
}

}    // namespace blip

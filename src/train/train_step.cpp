// See train_step.h.
#include "src/train/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "blip/base/phase.h"
#include "blip/comm/run_together.h"

namespace blip {

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

DevicePoint point_now(c10::Device device) {
    DevicePoint point(device);
    point.record();
    return point;
}

}    // namespace

Arena training_arena(const Task& task, const CommOptions& options, ArenaPlacement placement, int ranks,
                     Collectives& collectives) {
    return {task.layout,
            ranks,
            static_cast<std::int64_t>(options.bucket_mib(placement.device.is_cuda()) * 1024 * 1024),
            [&collectives](std::size_t bytes) { return collectives.allocate(bytes); },
            true,
            placement};
}

RunningStep::RunningStep(c10::Device device) : begin_(point_now(device)), end_(device) {}

StepOutcome RunningStep::finish(Collectives& collectives) {
    collectives.wait_until([this] { return end_.reached(); }, "end of a step on the device");
    StepRecord& record = outcome_.record;
    for (std::size_t i = 0; i + 2 < micro_batches_.size(); i += 3) {
        record.forward_ms += micro_batches_[i + 1].ms_since(micro_batches_[i]);
        record.backward_ms += micro_batches_[i + 2].ms_since(micro_batches_[i + 1]);
    }
    // On a GPU the device waits for the other ranks within the update, which the host cannot tell apart.
    const DevicePoint& backward_end = micro_batches_.empty() ? begin_ : micro_batches_.back();
    record.update_ms = end_.ms_since(backward_end) - record.reduce_ms;
    record.step_ms = end_.ms_since(begin_);
    const auto* found = static_cast<const double*>(found_.const_data_ptr());
    outcome_.own.loss = found[0];
    outcome_.own.gradient_square_sum = found[1];
    outcome_.own.non_finite = found[2];
    outcome_.own.told.insert(outcome_.own.told.end(), found + 3, found + found_.numel());
    return std::move(outcome_);
}

RunningStep TrainStep::run(BatchFeed& feed, const TrainState& state, double lr,
                           const std::function<void()>& before_update) {
    const c10::Device device = arena_.placement().device;
    RunningStep running(device);
    StepRecord& record = running.outcome_.record;
    const StepPlan::Global global = plan_.global(state.epoch, state.step_in_epoch);
    record.tokens = global.weight;
    record.samples = global.captions;
    record.lr = lr;
    record.epoch = state.epoch;
    record.step = state.global_step + 1;
    record.step_in_epoch = state.step_in_epoch + 1;

    running.outcome_.own.told.assign(objective_.sum_count(), 0);
    const auto fp64 = at::TensorOptions().dtype(at::kDouble).device(device);
    const StepShare share{options_.seed,
                          state.global_step,
                          static_cast<double>(record.tokens),
                          plan_.sampler().micro_batches_per_step(),
                          running.outcome_.own.told,
                          at::zeros({static_cast<std::int64_t>(objective_.device_sum_count())}, fp64)};
    const at::Tensor loss_sum = at::zeros({}, fp64);
    reducer_.begin_step();
    for (int left = plan_.sampler().micro_batch_count(); left > 0; --left) {
        enter_phase(Phase::reading_batch);
        const auto wait_start = Clock::now();
        fed_ = feed.next();
        record.data_ms += ms_since(wait_start);
        if (!fed_) throw Error(ExitCode::internal, "the loader ended before the epoch did");
        if (left == 1) reducer_.arm();
        running.micro_batches_.push_back(point_now(device));
        enter_phase(Phase::forward);
        const at::Tensor loss = objective_.loss(arena_.weights(), *fed_, share);
        running.micro_batches_.push_back(point_now(device));
        feed.look_ahead();
        enter_phase(Phase::backward);
        loss.backward();
        running.micro_batches_.push_back(point_now(device));
        loss_sum.add_(loss.detach());
        std::ranges::copy_if(fed_->batch.request.captions, std::back_inserter(running.outcome_.samples),
                             [](std::int64_t row) { return row != no_caption; });
        fed_.reset();
    }
    enter_phase(Phase::updating);
    reducer_.finish();
    before_update();
    const ShardedAdamW::StepResult result = optimizer_.step(reducer_, lr, loss_sum);
    record.reduce_ms = reducer_.waited_s() * 1000;

    const at::Tensor found =
        at::cat({loss_sum.view(1), result.gradient_square_sum.view(1), result.non_finite.view(1), share.device_sums});
    running.found_ = staging_tensor(found.sizes(), at::kDouble, device);
    running.found_.copy_(found, /*non_blocking=*/true);
    running.end_.record();
    return running;
}

void log_sample_rows(const StepOutcome& step, RunLog* log, HostMessages& communicator) {
    nlohmann::json rows = nlohmann::json::array();
    for (const nlohmann::json& of_rank : all_gather_json(communicator, step.samples, "caption rows of a step"))
        rows.insert(rows.end(), of_rank.begin(), of_rank.end());
    if (log == nullptr) return;
    log->event("samples", {{"step", step.record.step}, {"epoch", step.record.epoch}, {"rows", rows}});
}

void fail_non_finite(const StepOutcome& step, const SplitTables& split, const std::filesystem::path& output,
                     HostMessages& communicator) {
    std::vector<std::string> ids;
    for (std::int64_t caption : step.samples) {
        const std::int64_t image = split.image_index_C[static_cast<std::size_t>(caption)];
        ids.push_back(fmt::format("image {} (caption row {})", name_image(split, image), caption));
    }
    const bool own_loss = !std::isfinite(step.own.loss);
    const auto all = all_gather_json(communicator, {own_loss, fmt::format("{}", fmt::join(ids, ", "))},
                                     "samples of the step that is not finite");
    // A reduced gradient holds all ranks' samples: any of them may be to blame, unless a loss tells.
    std::string culprits, everyone;
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        const std::string line = fmt::format("\n  rank {}: {}", rank, all[rank][1].get<std::string>());
        if (all[rank][0].get<bool>()) culprits += line;
        everyone += line;
    }
    // no update came before the first step
    const std::string advice =
        step.record.step == 1
            ? "no update came before it: look at the weights of --init"
            : fmt::format("the last good state is the newest checkpoint in {}; a smaller --init-lr may help",
                          (output / "checkpoints").string());
    throw AgreedError(ExitCode::internal, "{} of step {} is not finite; {}. Its samples by rank:{}",
                      culprits.empty() ? "a gradient" : "the loss", step.record.step, advice,
                      culprits.empty() ? everyone : culprits);
}

}    // namespace blip

// The loop that reads like the recipe. See trainer.h.
#include "blip/train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "blip/base/log.h"
#include "blip/base/phase.h"
#include "blip/base/printable.h"
#include "blip/base/process.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/checkpoint/init.h"
#include "blip/comm/run_together.h"
#include "blip/comm/watchdog.h"
#include "blip/optim/adamw.h"
#include "blip/optim/grad_reducer.h"
#include "blip/optim/lr_schedule.h"
#include "blip/report/progress.h"
#include "blip/report/rank_trace.h"
#include "blip/report/run_log.h"
#include "blip/train/run_identity.h"
#include "src/train/decisions.h"
#include "src/train/earlier_results.h"
#include "src/train/epoch_evaluation.h"
#include "src/train/gpu_health.h"
#include "src/train/pace.h"
#include "src/train/rank_times.h"
#include "src/train/step_plan.h"
#include "src/train/step_profile.h"
#include "src/train/train_step.h"

namespace blip {

namespace {
using Clock = std::chrono::steady_clock;
}    // namespace

struct Trainer::Impl {
    const Options& options;
    const std::string& config;
    const PackedDataset& dataset;
    const Task& task;
    const ArenaPlacement placement;
    HostMessages& communicator;
    Collectives& collectives;
    std::function<bool()> stop_requested;

    const SplitTables& split = dataset.split("train");
    const Objective& objective = task.objective;
    Arena arena = training_arena(task, options.comm, placement, communicator.size(), collectives);
    StepPlan plan{split, objective, options.train, communicator.rank(), communicator.size()};
    GradReducer reducer{arena, collectives};
    ShardedAdamW optimizer{arena, collectives, options.optim};
    TrainStep step{options.train, objective, arena, plan, reducer, optimizer};
    CheckpointWriter writer{options.checkpoint.output, options.checkpoint.keep, communicator};
    EpochEvaluation evaluation{task, options.checkpoint.output, options.model, arena, optimizer, communicator};
    Decisions decisions{communicator};
    RankTimes rank_times{communicator};
    GpuHealth gpus{placement.device, communicator};
    std::unique_ptr<RunLog> log{};    // rank 0
    std::unique_ptr<Progress> progress{};
    std::optional<Pace> pace{};
    StepProfile profile{options.train.profile_steps,
                        options.checkpoint.output / fmt::format("profile_rank{}.json", communicator.rank()),
                        placement.device};
    std::optional<RankTrace> trace{};

    TrainState state{};
    std::optional<RunningStep> running{};    // the newest step, which the device may still be at
    StepOutcome last{};                      // the step before it, whose decision is in flight
    bool stop_agreed = false, save_agreed = false;
    bool out_of_patience = false;
    std::int64_t saved_step = -1, step_in_flight = -1, resumed_step = -1;
    Clock::time_point last_save = Clock::now();
    double settled_s = 0;    // until all ranks knew that the state to be saved is good

    double mean_step_flops() const {
        const TrainingUnits& units = objective.units();
        double all = 0;
        for (std::int64_t unit = 0; unit < units.count(); ++unit) all += objective.flops(units.captions(0, unit));
        return all / static_cast<double>(units.count()) * options.train.global_batch / units.captions_per_unit();
    }

    ExitCode run();
    void start_trace();
    void start_or_resume();
    void post();
    void settle();
    void settle_all();
    bool checkpoint_due() const;
    void save();
    void wait_for_save();
    void end(bool finished);
    void tell_end();
    ExitCode stop();
    bool stop_before_first_step();
};

// Collective.
void Trainer::Impl::start_trace() {
    if (!options.train.trace) return;
    const auto begun = communicator.all_gather_strings(fmt::format("{}", wall_now_ns()), "the start of the trace");
    communicator.barrier("the start of the trace");
    const std::int64_t met_ns = wall_now_ns();
    trace.emplace(options.checkpoint.output / "trace" / fmt::format("rank_{}.jsonl", communicator.rank()),
                  TraceStart{std::stoll(begun.front()), met_ns, communicator.rank(), communicator.size()});
}

void Trainer::Impl::start_or_resume() {
    const PhaseScope loading(Phase::loading);
    state.seed = options.train.seed;
    const auto found = find_own_checkpoint(options, dataset, communicator);
    writer.remove_unfinished();
    if (communicator.rank() == 0) remove_half_written(options.checkpoint.output);
    if (found) {
        run_together(communicator, [&] { load_checkpoint(*found, arena, optimizer.state(), optimizer.weight_sink()); });
        state = found->manifest.state;
        saved_step = resumed_step = state.global_step;
        evaluation.inspect(state.epoch);
        const std::int64_t steps = plan.sampler().steps_per_epoch();
        log_info("resuming after step {} (epoch {}, step {} of {}) from {}", state.global_step, state.epochs_begun(),
                 state.step_in_epoch > 0 ? state.step_in_epoch : steps, steps, found->directory.string());
    } else if (!options.init.empty()) {
        load_model(options.init, arena, optimizer.weight_sink(), &communicator);
        log_info("starting from the weights in {}", options.init.string());
    } else {
        initialise(arena, options.train.seed, optimizer.weight_sink());
        log_info("starting from random weights (no --init), seed {}", options.train.seed);
        if (communicator.rank() == 0 && options.train.freeze != "none")
            log_warning("--freeze {} keeps random weights as they are: give --init a model to start from",
                        options.train.freeze);
    }
    if (communicator.rank() == 0) {
        log = std::make_unique<RunLog>(options.checkpoint.output / "log.jsonl");
        nlohmann::json members = {{"step", state.global_step},
                                  {"ranks", communicator.size()},
                                  {"threads", options.runtime.threads},
                                  {"last_step", plan.last_step()},
                                  {"data", std::filesystem::absolute(dataset.path()).string()},
                                  {"identity", run_identity(options, dataset.data_digest())}};
        if (const std::string signature = objective.signature(); !signature.empty()) members["signature"] = signature;
        log->event(found ? "resume" : "run", members);
    }
    gpus.tell(state.global_step, log.get());
    progress =
        std::make_unique<Progress>("train", plan.last_step(), communicator.rank() == 0 && options.runtime.progress);
}

// Tells the other ranks what this one found in the running step, once the device is through with it.
void Trainer::Impl::post() {
    if (!running) return;
    last = running->finish(collectives);
    rank_times.add(last.record, plan.sampler().micro_batch_count());
    running.reset();
    const double minutes = std::chrono::duration<double>(Clock::now() - last_save).count() / 60;
    const bool save_by_clock = communicator.rank() == 0 && options.checkpoint.every_minutes > 0 &&
                               minutes >= options.checkpoint.every_minutes && !writer.in_flight();
    last.own.stop = stop_requested() ? 1 : 0;
    last.own.save = save_by_clock ? 1 : 0;
    last.own.gpus = communicator.rank() == 0 && gpus.due() ? 1 : 0;
    last.own.written = writer.in_flight() && writer.written() ? 1 : 0;
    decisions.post(last.own);
}

// Reads the decision in flight: what all ranks found in the last posted step.
void Trainer::Impl::settle() {
    if (!decisions.in_flight()) return;
    const Decision all = decisions.read();
    if (all.non_finite > 0) {
        wait_for_save();    // of an earlier step, known to be good
        fail_non_finite(last, split, options.checkpoint.output, communicator);
    }
    stop_agreed = stop_agreed || all.stop > 0;
    save_agreed = save_agreed || all.save > 0;
    if (all.written == communicator.size()) wait_for_save();
    if (all.gpus > 0) gpus.tell(last.record.step, log.get());
    if (options.train.log_sample_ids) log_sample_rows(last, log.get(), communicator);
    if (communicator.rank() != 0) return;
    StepRecord& record = last.record;
    record.loss = all.loss;
    record.gradient_norm = std::sqrt(all.gradient_square_sum);
    record.told = objective.told(all.told);
    log->step(record);
    pace->step_done(
        record.step, [this] { return mean_step_flops(); }, record.samples, *log);
    const std::int64_t steps = plan.sampler().steps_per_epoch();
    progress->update(record.step,
                     {fmt::format("epoch {}/{}  step {}/{}  {}", record.epoch + 1, options.train.epochs,
                                  record.step_in_epoch, steps, format_percent(record.step_in_epoch, steps)),
                      fmt::format("loss {:.4f}", record.loss),
                      fmt::format("{:.1f} pairs/s", static_cast<double>(record.samples) / (record.step_ms / 1000)),
                      fmt::format("lr {:.3g}", record.lr), format_bytes(static_cast<double>(resident_bytes()))});
}

// Afterwards every step so far is known to be good on all ranks.
void Trainer::Impl::settle_all() {
    settle();
    post();    // until here the ranks compute
    const auto start = Clock::now();
    settle();
    settled_s = std::chrono::duration<double>(Clock::now() - start).count();
}

bool Trainer::Impl::checkpoint_due() const {
    const int every = options.checkpoint.every_steps;
    return stop_agreed || save_agreed || (every > 0 && state.global_step % every == 0) || state.step_in_epoch == 0 ||
           state.global_step == plan.last_step();
}

// Writes the state after the last step, once that is known to be good on all ranks.
void Trainer::Impl::save() {
    const PhaseScope saving(Phase::saving);
    settle_all();
    save_agreed = false;
    last_save = Clock::now();
    if (saved_step == state.global_step) return;
    wait_for_save();
    Manifest manifest;
    manifest.state = state;
    manifest.threads = options.runtime.threads;
    manifest.model = options.model;
    note_run(manifest, options, dataset.data_digest());
    manifest.config = config;
    writer.start_save(manifest, arena, optimizer.state());
    saved_step = step_in_flight = state.global_step;
}

// Of the checkpoint in flight, if there is one.
void Trainer::Impl::wait_for_save() {
    if (!writer.in_flight()) return;
    const PhaseScope saving(Phase::saving);
    const bool saved = writer.finish_save();
    if (!saved) saved_step = -1;
    if (!log) return;
    // stall_s: all that training waited for
    log->event("checkpoint", {{"saved", saved},
                              {"step", step_in_flight},
                              {"stall_s", settled_s + writer.stall_s()},
                              {"write_s", writer.write_s()},
                              {"bytes", writer.bytes()}});
}

// Collective.
void Trainer::Impl::end(bool finished) {
    wait_for_save();
    progress->clear();
    profile.end_of_run();
    gpus.tell(state.global_step, log.get(), /*at_end=*/true);
    const std::uint64_t peak = peak_resident_bytes();
    log_info("memory of rank 0: {} at most", format_bytes(static_cast<double>(peak)));
    if (log) log->event("stop", {{"step", state.global_step}, {"finished", finished}, {"peak_memory_bytes", peak}});
    communicator.barrier("end of the run, every rank's files written");
}

ExitCode Trainer::Impl::stop() {
    end(false);
    if (state.global_step == 0) {
        log_info("stopped by a signal before the first step: there is nothing to save; run the same command again");
        return ExitCode::stopped;
    }
    if (saved_step != state.global_step)
        throw AgreedError(ExitCode::io,
                          "the checkpoint after step {} could not be written to {}: the run can go on "
                          "from an earlier one only",
                          state.global_step, options.checkpoint.output.string());
    log_info("stopped by a signal after step {}; run the same command again{} to go on", state.global_step,
             options.checkpoint.fresh ? ", without --fresh," : "");
    return ExitCode::stopped;
}

// Whether any rank got a signal while the run was starting: loading weights can take minutes. Collective.
bool Trainer::Impl::stop_before_first_step() {
    const auto all = communicator.all_gather_strings(stop_requested() ? "stop" : "", "whether to start training");
    return std::any_of(all.begin(), all.end(), [](const std::string& own) { return !own.empty(); });
}

// What came of the run, and what can be done with it.
void Trainer::Impl::tell_end() {
    if (communicator.rank() != 0) return;
    const std::string output = options.checkpoint.output.string(), best = evaluation.describe_best();
    const bool had_ended = state.global_step == resumed_step;
    const std::string patience = fmt::format("{} without a better score (--patience {})",
                                             counted(options.train.patience, "epoch"), options.train.patience);
    if (had_ended && out_of_patience)
        log_info(
            "nothing left to do: the run had ended after step {}, epoch {} of {}, {}{}; to go on with it: a larger "
            "--patience, or 0; to train on from its best weights: --init {}/best --output ANOTHER",
            state.global_step, state.epoch, options.train.epochs, patience, best, output);
    else if (had_ended)
        log_info("nothing left to do: the run had finished after step {}{}; to train on: --init {} --output ANOTHER",
                 state.global_step, best, output);
    else if (out_of_patience)
        log_info("ended after step {}, epoch {} of {}: {}{}", state.global_step, state.epoch, options.train.epochs,
                 patience, best);
    else
        log_info("finished after step {}{}", state.global_step, best);
    if (had_ended || best.empty()) return;
    log_info_text(
        fmt::format("next:\n"
                    "  blip_mpi caption --init {0}/best PICTURES    captions of your own pictures\n"
                    "  blip_mpi report {0}    curves, scores and pictures, as a page\n"
                    "  blip_mpi train --init {0}/best --output {0}2 ...    train on from the best weights",
                    output));
}

ExitCode Trainer::Impl::run() {
    start_trace();
    start_or_resume();
    if (stop_before_first_step()) return stop();
    pace.emplace(state.global_step, plan.last_step(), options.runtime.peak, placement, communicator);
    while (true) {
        // The checkpoint of an epoch's end is there; its evaluation may not be.
        if (state.step_in_epoch == 0 && state.epoch > 0 && !evaluation.done(state.epoch - 1)) {
            wait_for_save();
            progress->clear();
            if (!evaluation.run(state.epoch - 1, state.global_step, log.get(), stop_requested)) return stop();
        }
        if (state.epoch >= options.train.epochs || state.global_step >= plan.last_step()) break;
        out_of_patience = state.step_in_epoch == 0 && evaluation.out_of_patience(state.epoch, options.train.patience);
        if (out_of_patience) break;
        BatchFeed feed(dataset, split, options.data, options.augment, options.model.image_size,
                       options.data.loader_threads, placement.device, plan.requests(state.epoch, state.step_in_epoch));
        const int epoch = state.epoch;
        while (state.epoch == epoch) {
            enter_step(state.epoch, state.global_step);
            profile.before_step(state.global_step + 1, [this] { settle_all(); });
            const double lr = step_lr(options.optim, state.epoch, options.train.epochs, state.global_step);
            RunningStep queued = step.run(feed, state, lr, [this] { writer.wait_for_snapshot(); });
            enter_phase(Phase::between_steps);
            ++state.global_step;
            ++state.step_in_epoch;
            settle();
            post();
            running = std::move(queued);
            if (state.step_in_epoch == plan.sampler().steps_per_epoch()) {
                ++state.epoch;
                state.step_in_epoch = 0;
            }
            if (checkpoint_due()) save();
            if (stop_agreed) return stop();
            if (state.global_step >= plan.last_step()) break;
        }
        profile.finish();    // all is settled: it ended with a checkpoint
        rank_times.tell(epoch, log.get());
        if (state.step_in_epoch > 0) break;    // --max-steps ended it within an epoch
    }
    settle_all();
    end(true);
    if (saved_step != state.global_step)
        throw AgreedError(ExitCode::io,
                          "the last checkpoint could not be written to {}: free some space and run the "
                          "same command again",
                          options.checkpoint.output.string());
    tell_end();
    return ExitCode::ok;
}

Trainer::Trainer(const Options& options, const std::string& config, const PackedDataset& dataset, const Task& task,
                 ArenaPlacement placement, HostMessages& communicator, Collectives& collectives,
                 std::function<bool()> stop_requested, std::function<void()> before_publishing)
    : impl_(std::make_unique<Impl>(options, config, dataset, task, placement, communicator, collectives,
                                   std::move(stop_requested))) {
    expect_device_steps(placement.device.is_cuda());
    impl_->writer.before_publishing(std::move(before_publishing));
}

Trainer::~Trainer() = default;

ExitCode Trainer::run() {
    try {
        return impl_->run();
    } catch (...) {
        impl_->gpus.warn_of_errors();
        throw;
    }
}

}    // namespace blip

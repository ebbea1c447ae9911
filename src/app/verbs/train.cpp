// blip_mpi train: checks everything that can be checked before the first step, then trains.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "blip/base/durable_file.h"
#include "blip/base/gpu_presence.h"
#include "blip/base/json.h"
#include "blip/base/log.h"
#include "blip/base/printable.h"
#include "blip/base/version.h"
#include "blip/checkpoint/init.h"
#include "blip/checkpoint/run_lock.h"
#include "blip/comm/nccl/collectives.h"
#include "blip/comm/run_together.h"
#include "blip/data/shard_sampler.h"
#include "blip/device/device.h"
#include "blip/metrics/meteor.h"
#include "blip/metrics/reward.h"
#include "blip/model/captioner.h"
#include "blip/options/parse.h"
#include "blip/params/arena.h"
#include "blip/report/progress.h"
#include "blip/report/run_log.h"
#include "blip/tasks/caption/task.h"
#include "blip/train/memory.h"
#include "blip/train/plan_advice.h"
#include "blip/train/run_identity.h"
#include "blip/train/trainer.h"
#include "blip/weights/export.h"
#include "src/app/device_choice.h"
#include "src/app/output_folder.h"
#include "src/app/run_follower.h"
#include "src/app/startup.h"
#include "src/app/verbs/verbs.h"

namespace blip {

namespace {

void prepare_output(const Options& options) {
    const std::filesystem::path& output = options.checkpoint.output;
    std::error_code problem;
    if (options.checkpoint.fresh && std::filesystem::exists(output, problem) &&
        !std::filesystem::is_empty(output, problem))
        throw Error(ExitCode::usage, "--fresh: {} is not empty; give another --output, or remove it yourself",
                    output.string());
    options.dry_run ? try_output(output) : make_output(output);
}

// Another job has the folder now: nothing of this one may reach it any more, whatever its ranks are at.
void end_at_once(const std::string& reason) {
    log_error("{}: this job ends without touching its checkpoints", reason);
    std::_Exit(static_cast<int>(ExitCode::io));
}

// Throws usage if the batches do not fit the data.
ShardSampler sampler_of(const TrainOptions& train, const TrainingUnits& units, int ranks) {
    return {units.count(), train.global_batch, train.micro_batch, train.seed, 0, ranks, units.captions_per_unit()};
}

// Those that a dry run plans for, else those that there are.
int ranks_of(const Options& options, const HostMessages& communicator) {
    return options.ranks > 0 ? options.ranks : communicator.size();
}

void warn_of_idle_ranks(const ShardSampler& sampler, int ranks) {
    const int count = sampler.micro_batches_per_step(), idle = (ranks - count % ranks) % ranks;
    if (count < ranks)
        log_warning(
            "{} of {} ranks have nothing to do: a step has {} micro-batches. Give a smaller --micro-batch or fewer "
            "ranks",
            ranks - count, ranks, count);
    else if (idle > 0)
        log_warning(
            "{} of {} ranks wait in every step while the others compute one micro-batch more: {} are dealt to them. "
            "Give a number of ranks that divides {}, or a smaller --micro-batch",
            idle, ranks, count, count);
}

void print_plan(const Options& options, const TrainingUnits& units, int ranks) {
    const ShardSampler sampler = sampler_of(options.train, units, ranks);
    const int places = units.captions_per_unit();
    if (options.is_self_critical()) {
        log_info("an epoch: {} pictures, {} captions drawn of each; {} pictures a step", units.pictures(), places,
                 options.train.global_batch / places);
    } else if (places > 1) {
        log_info("an epoch: {} pictures with {} captions, {} at most of each; {} pictures a step", units.pictures(),
                 units.captions_of_epoch(), places, options.train.global_batch / places);
        if (places > units.most_captions())
            log_warning("--captions-per-picture {}: no picture has more than {} captions, the other places stay empty",
                        places, units.most_captions());
    }
    log_info("{} an epoch, {}; {} of {} a step: {} to {} a rank, {:.0f} % of the ranks' time used",
             counted(sampler.steps_per_epoch(), "step"), counted(options.train.epochs, "epoch"),
             fmt::format("{} micro-batch{}", sampler.micro_batches_per_step(),
                         sampler.micro_batches_per_step() == 1 ? "" : "es"),
             options.train.micro_batch, sampler.micro_batches_per_step() / ranks,
             (sampler.micro_batches_per_step() + ranks - 1) / ranks, sampler.efficiency() * 100);
    warn_of_idle_ranks(sampler, ranks);
    // small rates and few steps are what captions that learn from their score need
    if (options.is_self_critical()) return;
    const std::string too_few = too_few_steps(options.train, options.optim, units.count() * places);
    if (!too_few.empty()) log_info_text(too_few);
}

// Scores need captions to compare with.
bool has_references(const Options& options, const PackedDataset& dataset) {
    return std::ranges::any_of(options.evaluate.splits, [&](const std::string& name) {
        return dataset.has_split(name) && dataset.split(name).caption_count() > 0;
    });
}

// --patience counts scores.
void require_references(const Options& options, const PackedDataset& dataset) {
    if (options.train.patience == 0 || has_references(options, dataset)) return;
    throw Error(ExitCode::usage,
                "--patience {}: {} has no captions of {} to score against, so that no epoch has a score; pack some, or "
                "leave --patience out",
                options.train.patience, dataset.path().string(), fmt::join(options.evaluate.splits, " or "));
}

// Tells what a rank holds from the first step to the end, part by part in a dry run; warns where that alone is more
// than its host or GPU has.
void print_memory(const Options& options, const Layout& layout, ArenaPlacement placement, HostMessages& communicator) {
    const std::int64_t parameters = layout.element_count(), frozen = layout.frozen_element_count();
    double computing = 0, host = 0;
    std::string parts;
    const int ranks = ranks_of(options, communicator);
    std::vector<MemoryPart> state = state_memory(parameters, frozen, placement, ranks);
    if (options.self_critical.kl > 0)
        state.push_back({"weights of --init, for --kl",
                         static_cast<double>(parameters) * static_cast<double>(c10::elementSize(placement.dtype))});
    for (const MemoryPart& part : state) {
        (part.on_host || placement.device.is_cpu() ? host : computing) += part.bytes;
        parts += fmt::format("\n  {:>10}  {}", format_bytes(part.bytes), part.what);
    }
    const bool on_gpu = placement.device.is_cuda();
    const std::string untrained = fmt::format(", {:.2f} M of them frozen", static_cast<double>(frozen) / 1e6);
    log_info("model {}: {:.2f} M parameters{}; their state takes {}{} of a rank, before what a step computes",
             preset_of(options.model).value_or("of its own shape"), static_cast<double>(parameters) / 1e6,
             frozen > 0 ? untrained : "", on_gpu ? format_bytes(computing) + " of its GPU and " : "",
             format_bytes(host) + (on_gpu ? " of the host" : ""));
    if (options.dry_run) log_info("memory of a rank{}:{}", ranks > 1 ? fmt::format(" of {}", ranks) : "", parts);
    if (options.ranks > 0) return;    // what this machine has may be another's matter
    const double more = communicator.node_size() * host;
    const auto available = static_cast<double>(available_host_bytes());
    if (communicator.node_rank() == 0 && available > 0 && more > available)
        log_warning("{}: {} ranks hold {} in all, {} are available: use fewer ranks on a host, or a smaller model",
                    host_name(), communicator.node_size(), format_bytes(more), format_bytes(available));
    const GpuMemory gpu = on_gpu ? gpu_memory() : GpuMemory{};
    const auto left = static_cast<double>(gpu.total_bytes - std::min(gpu.total_bytes, gpu.used_bytes));
    if (gpu.total_bytes > 0 && computing > left)
        log_warning("{}: GPU {} must hold {} more than now, {} of {} are free: see with nvidia-smi who else uses it",
                    host_name(), placement.device.index(), format_bytes(computing), format_bytes(left),
                    format_bytes(static_cast<double>(gpu.total_bytes)));
}

// Reads what training would read, without training.
void check_only(const Options& options, const PackedDataset& dataset, HostMessages& communicator) {
    const auto found = find_own_checkpoint(options, dataset, communicator);
    if (found) {
        log_info("would resume after step {} from {}", found->manifest.state.global_step, found->directory.string());
    } else if (!options.init.empty()) {
        const Captioner captioner(options.model);
        Arena arena = weights_only_arena(captioner.layout());
        load_model(options.init, arena, &communicator);
        log_info("would start from the weights in {}", options.init.string());
    }
    log_info("dry run: everything needed is there and fits together; nothing was trained or written");
}

// What a line of the log cannot say later: which build made the run.
void note_build(const std::filesystem::path& output, const char* build) {
    nlohmann::json facts = {{"version", program_version}};
    std::istringstream lines(build);
    for (std::string name, value; lines >> name && std::getline(lines >> std::ws, value);) facts[name] = value;
    RunLog(output / "log.jsonl").event("build", facts);
}

}    // namespace

ExitCode run_train(Options options, const MpiSession& session, std::unique_ptr<Communicator> communicator,
                   const char* build) {
    const std::string changed = describe_changes(options);
    std::optional<DocumentFrequencies> frequencies;    // --cider-df
    const int own_cores = set_threads(options, communicator.get());
    set_evaluation_batch(options);
    std::optional<PackedDataset> dataset;
    ArenaPlacement placement;
    run_together(*communicator, [&] {
        placement = open_device(options.runtime, session.local_rank(), session.local_size());
        dataset = PackedDataset::open(options.data.file);
        set_loader_threads(options, own_cores, dataset->encoding() == PackedEncoding::jpeg);
        SelfCriticalOptions& own = options.self_critical;
        if (own.cider_df.empty()) return;
        frequencies = CaptionReward::read_frequencies(own.cider_df);
        own.cider_df_digest = frequencies_digest(*frequencies);
    });
    check_same_options(options, *communicator);
    adopt_model_shape(options, communicator.get());
    run_together(*communicator, [&] {
        sampler_of(options.train,
                   TrainingUnits(dataset->split("train"), options.captions_per_unit(), 0, options.is_self_critical()),
                   ranks_of(options, *communicator));
        require_references(options, *dataset);
        if (communicator->rank() == 0 && !options.evaluate.meteor_data.empty())
            require_meteor_tables(options.evaluate.meteor_data);
        if (communicator->rank() == 0) prepare_output(options);
    });
    check_ranks_agree(run_identity(options, dataset->data_digest()), *communicator);
    std::unique_ptr<RunLock> lock;    // rank 0's
    if (!options.dry_run) lock = take_run_lock(options.checkpoint.output, *communicator, end_at_once, stop_requested);
    if (communicator->rank() == 0 && !options.dry_run) add_log_file(options.checkpoint.output / "log.txt");
    print_run(options, changed, describe_device(placement), *dataset, *communicator);
    // In a dry run too: what keeps the GPUs from talking to each other shows here.
    std::unique_ptr<Collectives> nccl;
    if (placement.device.is_cuda())
        nccl = make_nccl_collectives(options.comm, placement.device.index(), compute_stream(placement.device),
                                     *communicator);
    Collectives& collectives = nccl ? *nccl : *communicator;
    std::optional<Arena> start;    // what --kl keeps near
    if (options.self_critical.kl > 0) {
        const Captioner captioner(options.model);
        start = weights_only_arena(captioner.layout(), placement);
        load_model(options.init, *start, communicator.get());
        // the same for the same values, whatever file they came from
        options.self_critical.kl_start_digest = weights_digest(named_tensors(captioner.layout(), start->weights()));
    }
    const CaptionTask captioning(options, *dataset, *communicator, start ? &start->weights() : nullptr,
                                 frequencies ? &*frequencies : nullptr);
    frequencies.reset();
    if (const std::string signature = captioning.task().objective.signature(); !signature.empty())
        log_info("{}", signature);
    if (communicator->rank() == 0 && options.is_self_critical() && options.init.empty())
        log_warning(
            "--objective self-critical without --init: captions that random weights draw earn nothing, so that "
            "there is nothing to learn from; start from weights that were trained with cross-entropy");
    if (communicator->rank() == 0)
        print_plan(options, captioning.task().objective.units(), ranks_of(options, *communicator));
    if (communicator->rank() == 0 && options.train.evaluate && !has_references(options, *dataset))
        log_info(
            "{} has no captions of {} to score against: no epoch is the best one, and best/ is not written; --init {} "
            "takes the newest checkpoint",
            dataset->path().string(), fmt::join(options.evaluate.splits, " or "), options.checkpoint.output.string());
    print_memory(options, captioning.task().layout, placement, *communicator);
    if (options.dry_run) {
        if (options.measure) measure_run(options, *dataset, captioning.task(), placement, *communicator, collectives);
        check_only(options, *dataset, *communicator);
        collectives.finish();
        return ExitCode::ok;
    }
    const std::string config = print_config(options);
    std::optional<RunFollower> follower;    // rank 0's
    run_together(*communicator, [&] {
        if (communicator->rank() != 0) return;
        note_build(options.checkpoint.output, build);
        follower.emplace(options, *dataset);
    });
    if (communicator->rank() == 0) say_at_stop("this step is finished, a checkpoint written, and the end is 85");
    Trainer trainer(options, config, *dataset, captioning.task(), placement, *communicator, collectives, stop_requested,
                    [&] {
                        if (lock) lock->check();
                    });
    ExitCode code = ExitCode::ok;
    try {
        code = trainer.run();
    } catch (const AgreedError&) {
        throw;
    } catch (...) {    // before the trainer goes, which waits for a checkpoint that is being written
        abort_job(session);
    }
    if (follower && code == ExitCode::ok) follower->finish();
    collectives.finish();
    return code;
}

}    // namespace blip

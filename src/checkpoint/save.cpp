// CheckpointWriter: snapshot, write, publish. Called by the trainer; collective except written() and
// wait_for_snapshot().
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/base/log.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/comm/run_together.h"
#include "blip/device/device.h"
#include "blip/weights/safetensors.h"
#include "src/checkpoint/directories.h"
#include "src/checkpoint/snapshot.h"

namespace blip {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// If it runs.
void finish(std::thread& thread) {
    if (thread.joinable()) thread.join();
}

// What one rank tells the others after writing.
struct WriteResult {
    ShardFile file;
    std::string error;    // empty: it is on disk
};

}    // namespace

struct CheckpointWriter::Impl {
    fs::path checkpoints;
    int keep;
    HostMessages& communicator;

    bool in_flight = false;
    Manifest manifest;
    StepDirectory directory;
    WriteResult result;    // belongs to the thread until it is joined
    std::atomic<bool> copied{true}, written{false};
    std::thread thread;
    StagedState staged;    // of a device's state
    double stall_s = 0;
    double write_s = 0;             // belongs to the thread, as result does
    std::function<void()> check;    // before_publishing
    std::thread removal;            // of old checkpoints: a file of GiBs takes a second or more to go

    Impl(fs::path run_directory, int a_keep, HostMessages& a_communicator)
        : checkpoints(checkpoints_directory(run_directory)), keep(a_keep), communicator(a_communicator) {}

    // Runs action on rank 0; all ranks learn what went wrong (empty: nothing).
    template <class Action>
    std::string on_rank_0(const char* what, Action&& action) {
        std::string error;
        if (communicator.rank() == 0) {
            try {
                action();
            } catch (const std::exception& failure) {
                error = failure.what();
            }
        }
        communicator.broadcast(error, what);
        return error;
    }

    void write(Snapshot snapshot, c10::Device device) {
        try {
            use_device(device);
            snapshot.complete();
            manifest.update_count = snapshot.update_count();
        } catch (const std::exception& failure) {    // of the device
            result.error = failure.what();
        }
        copied = true;
        copied.notify_all();
        const auto start = Clock::now();
        if (result.error.empty()) write_file(snapshot);
        snapshot = Snapshot();    // the memory goes back before anybody asks
        write_s = seconds_since(start);
        written = true;
    }

    void write_file(const Snapshot& snapshot) {
        try {
            const std::map<std::string, std::string> metadata = {{"format", "blip_mpi checkpoint shard 1"},
                                                                 {"rank", std::to_string(communicator.rank())},
                                                                 {"world_size", std::to_string(communicator.size())},
                                                                 {"step", std::to_string(manifest.state.global_step)}};
            std::tie(result.file.bytes, result.file.xxh3) =
                write_safetensors(directory.path / result.file.name, snapshot.tensors(), metadata);
        } catch (const std::exception& failure) {
            result.error = failure.what();
        }
    }

    // Rank 0 has made the directory; its name travels, since only rank 0 looked at what is there.
    std::string make_directory() {
        std::string path;
        const std::string error = on_rank_0("make the checkpoint's folder", [&] {
            directory = new_step_directory(checkpoints, manifest.state.global_step);
            make_folders(directory.path);
            path = directory.path.string();
        });
        communicator.broadcast(path, "name of the checkpoint's folder");
        directory.path = path;
        return error;
    }

    std::vector<std::string> agree();
    bool publish();
};

// Every rank's failure, as lines; fills the manifest's list of files.
std::vector<std::string> CheckpointWriter::Impl::agree() {
    std::vector<std::string> problems;
    std::string last;    // what rank 0 could not do, all ranks report: once is enough
    const ShardFile& own = result.file;
    const auto all =
        all_gather_json(communicator, {own.name, own.bytes, own.xxh3, result.error}, "agree on a checkpoint");
    manifest.shards.clear();
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
        const std::string error = all[rank][3];
        if (!error.empty() && error != last) problems.push_back(fmt::format("rank {}: {}", rank, error));
        last = error;
        manifest.shards.push_back({all[rank][0], all[rank][1], all[rank][2]});
    }
    return problems;
}

bool CheckpointWriter::Impl::publish() {
    std::vector<std::string> problems = agree();
    if (problems.empty()) {
        const std::string error = on_rank_0("publish a checkpoint", [&] {
            const std::string text = manifest.to_json();
            Manifest::from_json(text, kManifestName);    // what could not be read on resume must fail now
            write_file_durably(directory.path / kManifestName, text);
        });
        if (!error.empty()) problems.push_back(error);
    }
    if (communicator.rank() == 0 && problems.empty()) {
        try {
            std::vector<StepDirectory> old = steps_to_remove(checkpoints, directory, keep);
            if (!old.empty()) {
                removal = std::thread([steps = std::move(old)] {
                    for (const StepDirectory& step : steps) remove_step(step);
                });
            }
        } catch (const std::exception& failure) {
            log_warning("old checkpoints stay: {}", failure.what());
        }
    }
    if (communicator.rank() == 0 && !problems.empty()) {
        for (const std::string& problem : problems) {
            log_warning("no checkpoint at step {}: {}", manifest.state.global_step, problem);
        }
        if (!directory.path.empty()) remove_step(directory);
    }
    return problems.empty();
}

CheckpointWriter::CheckpointWriter(fs::path run_directory, int keep, HostMessages& communicator)
    : impl_(std::make_unique<Impl>(std::move(run_directory), keep, communicator)) {
    const std::string error =
        impl_->on_rank_0("make the folder of the checkpoints", [&] { make_folders(impl_->checkpoints); });
    if (!error.empty()) {
        throw AgreedError(ExitCode::io, "cannot keep checkpoints in {}: {}", impl_->checkpoints.string(), error);
    }
}

CheckpointWriter::~CheckpointWriter() {
    finish(impl_->thread);
    finish(impl_->removal);
}

void CheckpointWriter::start_save(const Manifest& manifest, const Arena& arena, const ShardState& state) {
    if (impl_->in_flight) finish_save();
    const auto start = Clock::now();
    Impl& impl = *impl_;
    finish(impl.removal);
    impl.manifest = manifest;
    impl.manifest.world_size = impl.communicator.size();
    impl.result = {};
    impl.result.file.name = shard_name(impl.communicator.rank(), impl.communicator.size());
    impl.written = false;
    impl.in_flight = true;
    impl.result.error = impl.make_directory();
    if (impl.result.error.empty()) {
        try {
            Snapshot snapshot = arena.placement().device.is_cpu() ? Snapshot::of_host(arena, state)
                                                                  : Snapshot::of_device(arena, state, impl.staged);
            impl.copied = !snapshot.needs_sources();
            impl.thread =
                std::thread([&impl, device = arena.placement().device, taken = std::move(snapshot)]() mutable {
                    impl.write(std::move(taken), device);
                });
        } catch (const std::exception& failure) {    // no memory for the copy, or no thread
            impl.copied = true;
            impl.result.error = failure.what();
        }
    }
    if (!impl.thread.joinable()) impl.written = true;
    impl.stall_s = seconds_since(start);
}

void CheckpointWriter::wait_for_snapshot() {
    if (impl_->copied) return;
    const auto start = Clock::now();
    impl_->copied.wait(false);
    impl_->stall_s += seconds_since(start);
}

bool CheckpointWriter::written() const { return impl_->written; }

bool CheckpointWriter::finish_save() {
    if (!impl_->in_flight) return true;
    const auto start = Clock::now();
    finish(impl_->thread);
    impl_->in_flight = false;
    if (impl_->check)
        run_on_first_rank(impl_->communicator, [&] {
            impl_->check();
            return std::string();
        });
    const bool published = impl_->publish();
    impl_->stall_s += seconds_since(start);
    return published;
}

void CheckpointWriter::remove_unfinished() {
    run_on_first_rank(impl_->communicator, [&] {
        blip::remove_unfinished(impl_->checkpoints);
        return std::string();
    });
}

void CheckpointWriter::before_publishing(std::function<void()> check) { impl_->check = std::move(check); }
bool CheckpointWriter::in_flight() const { return impl_->in_flight; }
double CheckpointWriter::stall_s() const { return impl_->stall_s; }
double CheckpointWriter::write_s() const { return impl_->write_s; }

std::uint64_t CheckpointWriter::bytes() const {
    std::uint64_t sum = 0;
    for (const ShardFile& file : impl_->manifest.shards) sum += file.bytes;
    return sum;
}

}    // namespace blip

// A toy training state that is known in closed form, saved and loaded by any number of ranks. Shared by the tests of
// the checkpoint layer.
#pragma once

#include <ATen/ops/equal.h>

#include "blip/base/log.h"
#include "blip/checkpoint/checkpoints.h"
#include "blip/checkpoint/init.h"
#include "blip/optim/adamw.h"
#include "tests/support/paths.h"
#include "tests/support/self_communicator.h"
#include "tests/unit/comm/thread_world.h"
#include "tests/unit/optim/toy_arena.h"

namespace blip::test {

// Masters and moments are toy_value(version + 0, 1, 2).
struct ToyRun {
    Arena arena;
    ShardedAdamW optimizer;
    Communicator& communicator;
    std::int64_t bucket_bytes;

    ToyRun(Communicator& comm, std::int64_t a_bucket_bytes, ArenaPlacement placement = {},
           const Layout& layout = toy_layout())
        : arena(layout, comm.size(), a_bucket_bytes, host_allocator(), true, placement),
          optimizer(arena, comm, {}),
          communicator(comm),
          bucket_bytes(a_bucket_bytes) {}

    void fill(int version) {
        write_toy(arena, optimizer.weight_sink(), version);
        for_each_shard([&](Range own, float* exp_avg, float* exp_avg_sq) {
            fill_toy(arena, own, exp_avg, version + 1);
            fill_toy(arena, own, exp_avg_sq, version + 2);
        });
        optimizer.state().update_count.fill_(1000 + version);
    }
    // bit for bit, padding included (zero)
    bool holds(int version) {
        ToyRun expected(communicator, bucket_bytes, arena.placement(), arena.layout());
        expected.fill(version);
        bool same =
            arena.flat_weights().equal(expected.arena.flat_weights()) && optimizer.update_count() == 1000 + version;
        for (std::size_t b = 0; b < arena.buckets().size(); ++b) {
            same = same && optimizer.masters()[b].equal(expected.optimizer.masters()[b]);
            if (b >= arena.trained_buckets()) continue;
            same = same && optimizer.exp_avg()[b].equal(expected.optimizer.exp_avg()[b]) &&
                   optimizer.exp_avg_sq()[b].equal(expected.optimizer.exp_avg_sq()[b]);
        }
        return same;
    }

  private:
    template <class Body>
    void for_each_shard(const Body& body) {
        for (std::size_t b = 0; b < arena.trained_buckets(); ++b) {
            body(arena.shard(static_cast<int>(b), communicator.rank()),
                 static_cast<float*>(optimizer.exp_avg()[b].data_ptr()),
                 static_cast<float*>(optimizer.exp_avg_sq()[b].data_ptr()));
        }
    }
};

// No network is of this shape, but one that is has as few values as the toy.
inline ModelOptions toy_model() {
    ModelOptions model;
    model.preset = "tiny";
    model.text_hidden = 11;
    model.text_heads = 7;
    model.text_intermediate = 2;
    model.text_layers = 1;
    model.text_positions = 3;
    model.vision_width = 6;
    model.vision_depth = 1;
    model.vision_heads = 2;
    model.image_size = 8;
    model.patch_size = 4;
    return model;
}

inline Manifest toy_manifest(std::int64_t step) {
    Manifest manifest;
    manifest.state = {step, 2, step - 7, 42};
    manifest.threads = 3;
    manifest.model = toy_model();
    manifest.identity = {{"seed", "42"}, {"data", "0123456789abcdef"}};
    manifest.config = "seed = 42\nline \"two\"\n";
    return manifest;
}

// The arena's fp32 weights, by one rank.
inline void save_whole(const std::filesystem::path& directory, const Arena& arena, const ModelOptions& model,
                       const std::string& note_json) {
    SelfCommunicator alone;
    save_model(directory, arena, {}, alone, model, note_json);
}

// `ranks` ranks save version 1 at step 100 and version 2 at step 200.
inline void save_twice(const std::filesystem::path& run, int ranks) {
    run_ranks(ranks, [&](Communicator& comm) {
        CheckpointWriter writer(run, 10, comm);
        ToyRun toy(comm, 700);
        for (const int version : {1, 2}) {
            toy.fill(version);
            writer.start_save(toy_manifest(100 * version), toy.arena, toy.optimizer.state());
            if (!writer.finish_save()) throw std::runtime_error("save failed");
        }
    });
}

// What the body logs, by way of a log file.
template <class Body>
std::string logged(const TempDir& dir, const Body& body) {
    std::filesystem::remove(dir / "log");
    init_log(0);
    add_log_file(dir / "log");
    body();
    init_log(0);
    return read_bytes(dir / "log");
}

}    // namespace blip::test

// Checkpoints over real ranks: a resumed run is bit-identical, a save that fails on one rank fails on all, damage is
// seen by whichever rank reads that shard.
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <csignal>

#include "blip/base/error.h"
#include "tests/support/paths.h"
#include "tests/support/ranks.h"
#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

// One folder for all ranks, removed by rank 0 at the end of the scope.
struct SharedDir {
    std::unique_ptr<TempDir> own;
    std::string path;
    SharedDir() {
        if (world().rank() == 0) own = std::make_unique<TempDir>();
        if (own) path = own->path().string();
        world().broadcast(path, "test folder");
    }
    ~SharedDir() { world().barrier("end of a test"); }
};

struct Training {
    ArenaPlacement placement;
    Arena arena{toy_layout(), world().size(), 700, host_allocator(), true, placement};
    GradReducer reducer{arena, world()};
    ShardedAdamW optimizer{arena, world(), {}};

    void steps(int begin, int end) {
        for (int step = begin; step < end; ++step) {
            reducer.begin_step();
            fill_toy(arena, {0, arena.length()}, arena.gradient_data(), 1000 * world().rank() + step);
            reducer.finish();
            optimizer.step(reducer, 1e-3);
        }
    }
    bool equals(const Training& other) const {
        bool same = arena.flat_weights().equal(other.arena.flat_weights()) &&
                    optimizer.update_count() == other.optimizer.update_count();
        for (std::size_t b = 0; b < arena.buckets().size(); ++b) {
            same = same && optimizer.masters()[b].equal(other.optimizer.masters()[b]) &&
                   optimizer.exp_avg()[b].equal(other.optimizer.exp_avg()[b]) &&
                   optimizer.exp_avg_sq()[b].equal(other.optimizer.exp_avg_sq()[b]);
        }
        return same;
    }
};

BOOST_AUTO_TEST_SUITE(checkpoint_ranks)

void check_resumption(ArenaPlacement placement) {
    const SharedDir dir;
    Training undisturbed{placement};
    write_toy(undisturbed.arena, undisturbed.optimizer.weight_sink(), 1);
    {
        CheckpointWriter writer(dir.path, 2, world());
        undisturbed.steps(0, 4);
        writer.start_save(toy_manifest(100), undisturbed.arena, undisturbed.optimizer.state());
        writer.wait_for_snapshot();
        undisturbed.steps(4, 8);    // while it is written
        BOOST_TEST(writer.finish_save());
    }
    const auto found = find_newest_checkpoint(dir.path, world());
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->manifest.world_size == world().size());
    BOOST_TEST(found->manifest.update_count == 4);
    Training resumed{placement};
    load_checkpoint(*found, resumed.arena, resumed.optimizer.state(), resumed.optimizer.weight_sink());
    resumed.steps(4, 8);
    BOOST_TEST(resumed.equals(undisturbed));
    BOOST_TEST(undisturbed.optimizer.update_count() == 8);

    // what these ranks wrote, two others read (threads: each rank does this by itself)
    Training as_saved{placement};
    load_checkpoint(*found, as_saved.arena, as_saved.optimizer.state(), as_saved.optimizer.weight_sink());
    run_ranks(2, [&](Communicator& two) {
        const auto again = find_newest_checkpoint(dir.path, two);
        ToyRun toy(two, 300, placement);
        load_checkpoint(again.value(), toy.arena, toy.optimizer.state(), toy.optimizer.weight_sink());
        for (std::size_t id = 0; id < toy.arena.weights().size(); ++id) {
            if (!toy.arena.weights()[id].equal(as_saved.arena.weights()[id]))
                throw std::runtime_error("weights differ");
        }
    });
}

BOOST_AUTO_TEST_CASE(a_resumed_run_is_bit_identical) { check_resumption({}); }
BOOST_AUTO_TEST_CASE(a_resumed_bf16_run_is_bit_identical) { check_resumption({at::kCPU, at::kBFloat16}); }

// The last rank may not write files beyond 64 bytes, as on a full disk.
BOOST_AUTO_TEST_CASE(a_save_that_fails_on_one_rank_fails_on_all) {
    const SharedDir dir;
    ToyRun toy(world(), 700);
    CheckpointWriter writer(dir.path, 2, world());
    toy.fill(1);
    writer.start_save(toy_manifest(100), toy.arena, toy.optimizer.state());
    BOOST_TEST(writer.finish_save());

    const bool limited = world().rank() == world().size() - 1;
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    if (limited) {
        const rlimit small{64, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
    }
    toy.fill(2);
    writer.start_save(toy_manifest(200), toy.arena, toy.optimizer.state());
    const bool published = writer.finish_save();
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old_handler);
    BOOST_TEST(!published);
    world().barrier("test");
    BOOST_TEST(!fs::exists(fs::path(dir.path) / "checkpoints" / "step-00000200"));
    const auto found = find_newest_checkpoint(dir.path, world());
    BOOST_REQUIRE(found.has_value());
    load_checkpoint(*found, toy.arena, toy.optimizer.state(), toy.optimizer.weight_sink());
    BOOST_TEST(toy.holds(1));
}

BOOST_AUTO_TEST_CASE(damage_in_any_shard_is_seen_by_all_ranks) {
    const SharedDir dir;
    ToyRun toy(world(), 700);
    CheckpointWriter writer(dir.path, 100, world());
    toy.fill(1);
    writer.start_save(toy_manifest(100), toy.arena, toy.optimizer.state());
    BOOST_TEST(writer.finish_save());
    for (int damaged = 0; damaged < world().size(); ++damaged) {
        writer.start_save(toy_manifest(200 + damaged), toy.arena, toy.optimizer.state());
        BOOST_TEST(writer.finish_save());
        const auto whole = find_newest_checkpoint(dir.path, world());
        BOOST_REQUIRE(whole.has_value());
        BOOST_TEST(whole->manifest.state.global_step == 200 + damaged);
        world().barrier("test");
        if (world().rank() == 0) {
            const fs::path shard = whole->directory / whole->manifest.shards.at(static_cast<std::size_t>(damaged)).name;
            std::string bytes = read_bytes(shard);
            bytes.at(bytes.size() / 2) = static_cast<char>(bytes.at(bytes.size() / 2) ^ 1);
            write_bytes(shard, bytes);
        }
        world().barrier("test");
        const auto found = find_newest_checkpoint(dir.path, world());
        BOOST_REQUIRE(found.has_value());
        BOOST_TEST(found->manifest.state.global_step == 100);
    }
}

BOOST_AUTO_TEST_CASE(an_unusable_folder_is_an_error_on_all_ranks) {
    const SharedDir dir;
    if (world().rank() == 0) write_bytes(fs::path(dir.path) / "file", "x");
    world().barrier("test");
    BOOST_CHECK_EXCEPTION(CheckpointWriter(fs::path(dir.path) / "file", 2, world()), Error, [&](const Error& error) {
        return error.code() == ExitCode::io && std::string(error.what()).find(dir.path) != std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

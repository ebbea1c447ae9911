// Checkpoints written by any number of ranks and read by any other; damage, retention, repeated and failed saves.
#include <ATen/ops/count_nonzero.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <set>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "tests/support/paths.h"
#include "tests/support/torch_safetensors.h"
#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

// As `size` ranks: saves version v at step 100 * v for each v.
void save(const fs::path& run, int size, std::int64_t bucket_bytes, const std::vector<int>& versions, int keep = 10,
          ArenaPlacement placement = {}, const Layout& layout = toy_layout()) {
    run_ranks(size, [&](Communicator& comm) {
        CheckpointWriter writer(run, keep, comm);
        writer.remove_unfinished();
        ToyRun toy(comm, bucket_bytes, placement, layout);
        for (const int version : versions) {
            toy.fill(version);
            writer.start_save(toy_manifest(100 * version), toy.arena, toy.optimizer.state());
            writer.wait_for_snapshot();
            toy.fill(99);    // training goes on: the snapshot must not see it
            if (!writer.in_flight() || !writer.finish_save()) throw std::runtime_error("save failed");
            if (!writer.written() || writer.in_flight() || writer.stall_s() <= 0)
                throw std::runtime_error("state after a save");
        }
    });
}

// As `size` ranks: the version that the newest intact checkpoint holds; 0 = no checkpoint, -1 = wrong content.
int load(const fs::path& run, int size, std::int64_t bucket_bytes, ArenaPlacement placement = {},
         const Layout& layout = toy_layout()) {
    std::vector<int> found(static_cast<std::size_t>(size));
    run_ranks(size, [&](Communicator& comm) {
        int& version = found[static_cast<std::size_t>(comm.rank())];
        const auto checkpoint = find_newest_checkpoint(run, comm);
        if (!checkpoint) return;
        ToyRun toy(comm, bucket_bytes, placement, layout);
        load_checkpoint(*checkpoint, toy.arena, toy.optimizer.state(), toy.optimizer.weight_sink());
        version = static_cast<int>(checkpoint->manifest.state.global_step / 100);
        if (!toy.holds(version) || checkpoint->manifest.state != toy_manifest(100 * version).state) version = -1;
    });
    for (const int version : found) {
        if (version != found[0]) return -2;    // ranks disagree
    }
    return found[0];
}

std::set<std::string> names_in(const fs::path& directory) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename().string());
    return names;
}

using Names = std::set<std::string>;

void flip_byte(const fs::path& file, std::size_t position) {
    std::string bytes = read_bytes(file);
    bytes.at(position) = static_cast<char>(bytes.at(position) ^ 0x10);
    write_bytes(file, bytes);
}

void put_pipe(const fs::path& file) {
    fs::remove(file);
    BOOST_REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
}

BOOST_AUTO_TEST_SUITE(checkpoints)

BOOST_AUTO_TEST_CASE(any_number_of_ranks_reads_what_any_number_wrote) {
    for (const int writers : {1, 2, 3}) {
        const TempDir dir;
        save(dir / "run", writers, 700, {3});
        const fs::path step = dir / "run" / "checkpoints" / "step-00000300";
        BOOST_TEST(names_in(step).size() == static_cast<std::size_t>(writers + 1));
        for (const int readers : {1, 2, 3, 4}) {
            for (const std::int64_t bucket_bytes : {300, 700, 1 << 20}) {
                BOOST_TEST(load(dir / "run", readers, bucket_bytes) == 3,
                           writers << " -> " << readers << " ranks, buckets of " << bucket_bytes);
            }
        }
    }
}

// Joined parameters lie elsewhere in the arena; files name parameters.
BOOST_AUTO_TEST_CASE(joins_are_unknown_to_checkpoints) {
    const TempDir dir;
    save(dir / "apart", 2, 700, {3});
    save(dir / "joined", 3, 300, {3}, 10, {}, joined_toy_layout());
    for (const int readers : {1, 2, 3}) {
        BOOST_TEST(load(dir / "apart", readers, 700, {}, joined_toy_layout()) == 3, readers << " ranks");
        BOOST_TEST(load(dir / "joined", readers, 700) == 3, readers << " ranks");
    }
}

// Frozen parameters are stored without moments; a run that trains them cannot go on from there.
BOOST_AUTO_TEST_CASE(frozen_parameters_have_weights_alone) {
    const TempDir dir;
    const ArenaPlacement bf16{at::kCPU, at::kBFloat16};
    save(dir / "frozen", 3, 700, {3}, 10, {}, frozen_toy_layout());
    save(dir / "bf16", 2, 300, {3}, 10, bf16, frozen_toy_layout());
    for (const int readers : {1, 2, 4})
        for (const std::string run : {"frozen", "bf16"}) {
            BOOST_TEST(load(dir / run, readers, 300, {}, frozen_toy_layout()) == 3, run << ", " << readers << " ranks");
            BOOST_TEST(load(dir / run, readers, 700, bf16, frozen_toy_layout()) == 3, run << ", " << readers);
        }
    std::int64_t masters = 0, moments = 0;
    for (const std::string rank : {"0", "1"}) {
        const auto file = SafetensorsFile::open(dir / "bf16" / "checkpoints" / "step-00000300" /
                                                ("shard-0000" + rank + "-of-00002.safetensors"));
        for (const auto& [name, entry] : file.entries())
            (name.starts_with("master/") ? masters : moments) += entry.shape.at(0);
    }
    BOOST_TEST(masters == toy_layout().element_count());
    BOOST_TEST(moments == 2 * (toy_layout().element_count() - 1530));
    BOOST_CHECK_EXCEPTION(load(dir / "frozen", 2, 700), Error, [](const Error& error) {
        return error.code() == ExitCode::bad_data &&
               std::string(error.what()).find("'first.weight' has no moments") != std::string::npos;
    });
}

// The files do not tell: they hold fp32 masters, whatever the weights were and will be.
BOOST_AUTO_TEST_CASE(bf16_and_fp32_weights_share_one_format) {
    const ArenaPlacement fp32, bf16{at::kCPU, at::kBFloat16};
    const TempDir dir;
    save(dir / "bf16", 3, 700, {3}, 10, bf16);
    save(dir / "fp32", 2, 300, {3}, 10, fp32);
    for (const int readers : {1, 2, 4}) {
        for (const std::string run : {"bf16", "fp32"}) {
            BOOST_TEST(load(dir / run, readers, 300, bf16) == 3, run << " -> bf16, " << readers << " ranks");
            BOOST_TEST(load(dir / run, readers, 700, fp32) == 3, run << " -> fp32, " << readers << " ranks");
        }
    }
    save(dir / "one", 1, 1 << 20, {3}, 10, bf16);
    save(dir / "other", 1, 1 << 20, {3}, 10, fp32);
    const fs::path shard = fs::path("checkpoints") / "step-00000300" / "shard-00000-of-00001.safetensors";
    BOOST_TEST((read_bytes(dir / "one" / shard) == read_bytes(dir / "other" / shard)));
}

BOOST_AUTO_TEST_CASE(shards_name_parameters_and_element_ranges) {
    const TempDir dir;
    save(dir / "run", 3, 1 << 20, {1});
    std::int64_t elements = 0;
    for (int rank = 0; rank < 3; ++rank) {
        const auto file = SafetensorsFile::open(dir / "run" / "checkpoints" / "step-00000100" /
                                                ("shard-0000" + std::to_string(rank) + "-of-00003.safetensors"));
        BOOST_TEST(file.metadata().at("rank") == std::to_string(rank));
        BOOST_TEST(file.metadata().at("world_size") == "3");
        BOOST_TEST(file.metadata().at("step") == "100");
        for (const auto& [name, entry] : file.entries()) {
            if (name.starts_with("master/")) elements += entry.shape.at(0);
        }
    }
    BOOST_TEST(elements == toy_layout().element_count());    // padding is not stored
    const auto first =
        SafetensorsFile::open(dir / "run" / "checkpoints" / "step-00000100" / "shard-00000-of-00003.safetensors");
    BOOST_TEST(first.entries().contains("exp_avg_sq/second.bias[0:401]"));
}

BOOST_AUTO_TEST_CASE(damaged_checkpoints_are_named_and_the_one_before_is_used) {
    const std::string shard = "shard-00001-of-00002.safetensors";
    const auto in_shard = [&](const fs::path& step) { return step / shard; };
    struct Damage {
        std::string what, named;
        std::function<void(const fs::path& step)> apply;
    };
    const std::vector<Damage> damages = {
        {"manifest flipped", "manifest.json", [](const fs::path& step) { flip_byte(step / "manifest.json", 100); }},
        {"manifest cut", "manifest.json", [](const fs::path& step) { fs::resize_file(step / "manifest.json", 50); }},
        {"manifest empty", "manifest.json", [](const fs::path& step) { fs::resize_file(step / "manifest.json", 0); }},
        {"header length flipped", shard + " is damaged", [&](const fs::path& step) { flip_byte(in_shard(step), 0); }},
        {"header flipped", shard + " is damaged", [&](const fs::path& step) { flip_byte(in_shard(step), 40); }},
        {"data flipped", shard + " is damaged",
         [&](const fs::path& step) { flip_byte(in_shard(step), fs::file_size(in_shard(step)) - 9); }},
        {"shard cut", shard + " has",
         [&](const fs::path& step) { fs::resize_file(in_shard(step), fs::file_size(in_shard(step)) - 1); }},
        {"shard longer", shard + " has",
         [&](const fs::path& step) { fs::resize_file(in_shard(step), fs::file_size(in_shard(step)) + 1); }},
        {"shard missing", shard + " is missing", [&](const fs::path& step) { fs::remove(in_shard(step)); }},
        {"a pipe for a shard", shard + " is not a regular file",
         [&](const fs::path& step) { put_pipe(in_shard(step)); }},
        {"a pipe for a manifest", "manifest.json is not a regular file",
         [](const fs::path& step) { put_pipe(step / "manifest.json"); }},
        {"manifest of 1 GiB", "manifest.json has 1073741824 bytes",
         [](const fs::path& step) { fs::resize_file(step / "manifest.json", 1 << 30); }},
    };
    for (const Damage& damage : damages) {
        const TempDir dir;
        save(dir / "run", 2, 700, {1, 2});
        damage.apply(dir / "run" / "checkpoints" / "step-00000200");
        for (const int readers : {1, 3}) {
            int version = 0;
            const std::string log = logged(dir, [&] { version = load(dir / "run", readers, 300); });
            BOOST_TEST(version == 1, damage.what);
            BOOST_TEST(log.find("step-00000200 is passed over") != std::string::npos, log);
            BOOST_TEST(log.find(damage.named) != std::string::npos, damage.what << ": " << log);
        }
        damage.apply(dir / "run" / "checkpoints" / "step-00000100");
        BOOST_CHECK_EXCEPTION(load(dir / "run", 2, 300), Error, [](const Error& error) {
            return error.code() == ExitCode::bad_data &&
                   std::string(error.what()).find("none of them intact") != std::string::npos;
        });
    }
}

BOOST_AUTO_TEST_CASE(without_a_manifest_there_is_no_checkpoint) {
    const TempDir dir;
    BOOST_TEST(load(dir / "nowhere", 2, 300) == 0);
    save(dir / "run", 2, 700, {1, 2});
    fs::remove(dir / "run" / "checkpoints" / "step-00000200" / "manifest.json");
    BOOST_TEST(load(dir / "run", 2, 300) == 1);
    save(dir / "run", 1, 700, {3});    // a writer cleans up what an interrupted save left
    BOOST_TEST((names_in(dir / "run" / "checkpoints") == Names{"step-00000100", "step-00000300"}));
}

BOOST_AUTO_TEST_CASE(the_newest_are_kept) {
    const TempDir dir;
    save(dir / "run", 2, 700, {1, 2, 3, 4}, 2);
    BOOST_TEST((names_in(dir / "run" / "checkpoints") == Names{"step-00000300", "step-00000400"}));
    save(dir / "run", 3, 700, {5}, 1);
    BOOST_TEST((names_in(dir / "run" / "checkpoints") == Names{"step-00000500"}));
    BOOST_TEST(load(dir / "run", 1, 300) == 5);
}

// After a damaged newest one was passed over, the run goes on before it: the next save must not be outlived by the
// damaged one, nor lose the good one.
BOOST_AUTO_TEST_CASE(a_passed_over_checkpoint_goes_with_the_next_save) {
    const TempDir dir;
    save(dir / "run", 2, 700, {1, 4});
    flip_byte(dir / "run" / "checkpoints" / "step-00000400" / "manifest.json", 30);
    save(dir / "run", 2, 700, {2}, 2);
    BOOST_TEST((names_in(dir / "run" / "checkpoints") == Names{"step-00000100", "step-00000200"}));
    BOOST_TEST(load(dir / "run", 2, 300) == 2);
}

BOOST_AUTO_TEST_CASE(a_step_saved_again_replaces_the_first_only_when_complete) {
    const TempDir dir;
    save(dir / "run", 2, 700, {1, 2});
    const fs::path checkpoints = dir / "run" / "checkpoints";
    fs::copy(checkpoints / "step-00000200", dir / "first", fs::copy_options::recursive);
    save(dir / "run", 3, 700, {2});
    BOOST_TEST((names_in(checkpoints) == Names{"step-00000100", "step-00000200.1"}));
    BOOST_TEST(load(dir / "run", 2, 300) == 2);
    // killed before the second was published: the first still stands
    fs::remove(checkpoints / "step-00000200.1" / "manifest.json");
    fs::rename(dir / "first", checkpoints / "step-00000200");
    BOOST_TEST(load(dir / "run", 2, 300) == 2);
    save(dir / "run", 2, 700, {2});
    BOOST_TEST((names_in(checkpoints) == Names{"step-00000100", "step-00000200.1"}));
}

BOOST_AUTO_TEST_CASE(a_failed_save_is_reported_and_the_last_one_stays) {
    const TempDir dir;
    const fs::path checkpoints = dir / "run" / "checkpoints";
    std::vector<int> published(2, -1);
    const std::string log = logged(dir, [&] {
        run_ranks(2, [&](Communicator& comm) {
            ToyRun toy(comm, 700);
            CheckpointWriter writer(dir / "run", 2, comm);
            if (comm.rank() == 0) {
                fs::remove(checkpoints);
                write_bytes(checkpoints, "in the way");
            }
            comm.barrier("test");
            writer.start_save(toy_manifest(100), toy.arena, toy.optimizer.state());
            published[static_cast<std::size_t>(comm.rank())] = writer.finish_save();
            if (comm.rank() == 0) fs::remove(checkpoints);
            comm.barrier("test");
            // the next one is a new attempt
            toy.fill(2);
            writer.start_save(toy_manifest(200), toy.arena, toy.optimizer.state());
            published[static_cast<std::size_t>(comm.rank())] += 10 * writer.finish_save();
        });
    });
    BOOST_TEST((published == std::vector<int>{10, 10}));
    BOOST_TEST(log.find("no checkpoint at step 100") != std::string::npos);
    BOOST_TEST(log.find(checkpoints.string()) != std::string::npos);
    BOOST_TEST(load(dir / "run", 2, 300) == 2);
}

BOOST_AUTO_TEST_CASE(a_manifest_that_could_not_be_read_again_is_a_failed_save) {
    const TempDir dir;
    bool published = true;
    run_ranks(1, [&](Communicator& comm) {
        ToyRun toy(comm, 700);
        CheckpointWriter writer(dir / "run", 2, comm);
        Manifest manifest = toy_manifest(100);
        manifest.state.epoch = -1;
        writer.start_save(manifest, toy.arena, toy.optimizer.state());
        published = writer.finish_save();
    });
    BOOST_TEST(!published);
    BOOST_TEST(load(dir / "run", 1, 300) == 0);
}

BOOST_AUTO_TEST_CASE(start_save_finishes_the_one_in_flight) {
    const TempDir dir;
    run_ranks(2, [&](Communicator& comm) {
        ToyRun toy(comm, 700);
        CheckpointWriter writer(dir / "run", 5, comm);
        for (const int version : {1, 2, 3}) {
            toy.fill(version);
            writer.start_save(toy_manifest(100 * version), toy.arena, toy.optimizer.state());
            writer.wait_for_snapshot();
        }
    });    // the third is never finished: it has no manifest
    BOOST_TEST(load(dir / "run", 3, 300) == 2);
}

BOOST_AUTO_TEST_CASE(another_model_is_refused_before_anything_changes) {
    const TempDir dir;
    save(dir / "run", 2, 700, {1});
    run_ranks(1, [&](Communicator& comm) {
        const auto found = find_newest_checkpoint(dir / "run", comm);
        const auto refusal = [&](const Layout& layout) -> std::string {
            Arena arena(layout, 1, 700, host_allocator());
            ShardedAdamW optimizer(arena, comm, {});
            try {
                load_checkpoint(*found, arena, optimizer.state(), optimizer.weight_sink());
            } catch (const Error& error) {
                const bool untouched = arena.flat_weights().count_nonzero().item<std::int64_t>() == 0;
                return error.code() == ExitCode::bad_data && untouched ? error.what() : "";
            }
            return "";
        };
        Layout more = toy_layout();
        more.declare("third.bias", {2}, Init::zeros());
        Layout fewer;
        fewer.declare("first.bias", {30}, Init::zeros());
        Layout larger;
        for (ParamId id = 0; id < more.count() - 1; ++id) {
            larger.declare(more.spec(id).name, id == 4 ? std::vector<std::int64_t>{402} : more.spec(id).shape,
                           Init::zeros());
        }
        if (refusal(more).find("'third.bias' has 0 of 2 elements") == std::string::npos)
            throw std::runtime_error("more");
        if (refusal(fewer).find("is unknown to this model") == std::string::npos) throw std::runtime_error("fewer");
        if (refusal(larger).find("'second.bias' has 401 of 402 elements") == std::string::npos)
            throw std::runtime_error("larger");
    });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

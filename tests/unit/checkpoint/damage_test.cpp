// Every file of a checkpoint and of best/, truncated, with flipped bits, and deleted: named, never loaded, and the
// newest whole checkpoint is used instead.
#include <boost/test/unit_test.hpp>
#include <random>

#include "blip/base/error.h"
#include "blip/base/log.h"
#include "tests/support/paths.h"
#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {
namespace {

namespace fs = std::filesystem;

// One way to damage a file: what is left of its bytes; nothing if it is deleted.
struct Damage {
    std::string name;
    std::optional<std::string> bytes;
};

std::vector<Damage> damages_of(const std::string& whole, std::uint32_t seed) {
    std::vector<Damage> all = {{"deleted", {}}};
    for (std::size_t k = 0; k < 20; ++k)
        all.push_back({"cut to " + std::to_string(whole.size() * k / 20), whole.substr(0, whole.size() * k / 20)});
    std::mt19937 random(seed);
    for (int k = 0; k < 50; ++k) {
        std::string bytes = whole;
        const std::size_t place = random() % whole.size();
        const auto bit = random() % 8;
        bytes[place] = static_cast<char>(bytes[place] ^ (1 << bit));
        all.push_back({"byte " + std::to_string(place) + " bit " + std::to_string(bit), bytes});
    }
    return all;
}

void put(const fs::path& file, const std::optional<std::string>& bytes) {
    bytes ? write_bytes(file, *bytes) : static_cast<void>(fs::remove(file));
}

// Two ranks look for a checkpoint and load it: the version, 0 if there is none, -1 if what was loaded is wrong.
int load(const fs::path& run) {
    int version = 0;
    run_ranks(2, [&](Communicator& comm) {
        const auto checkpoint = find_newest_checkpoint(run, comm);
        if (!checkpoint) return;
        ToyRun toy(comm, 500);
        load_checkpoint(*checkpoint, toy.arena, toy.optimizer.state(), toy.optimizer.weight_sink());
        const int found = static_cast<int>(checkpoint->manifest.state.global_step / 100);
        const bool right = toy.holds(found) && checkpoint->manifest.state == toy_manifest(100 * found).state;
        if (comm.rank() == 0) version = right ? found : -1;
    });
    return version;
}

BOOST_AUTO_TEST_SUITE(damage)

BOOST_AUTO_TEST_CASE(of_a_checkpoints_files_is_named_and_the_one_before_used) {
    const TempDir dir;
    const fs::path run = dir / "run";
    save_twice(run, 2);
    BOOST_TEST(load(run) == 2);
    const fs::path newest = run / "checkpoints" / "step-00000200";
    int files = 0;
    for (const auto& entry : fs::directory_iterator(newest)) {
        const std::string name = entry.path().filename(), whole = read_bytes(entry.path());
        for (const Damage& damage : damages_of(whole, static_cast<std::uint32_t>(++files))) {
            put(entry.path(), damage.bytes);
            int version = 0;
            const std::string log = logged(dir, [&] { version = load(run); });
            BOOST_TEST(version == 1, name << ", " << damage.name);
            // without its manifest it never was one
            const bool never_was = name == "manifest.json" && !damage.bytes;
            BOOST_TEST(
                (log.find("step-00000200") != std::string::npos && log.find(name) != std::string::npos) != never_was,
                name << ", " << damage.name << ": " << log);
            write_bytes(entry.path(), whole);
        }
    }
    BOOST_TEST(files == 3);
    BOOST_TEST(load(run) == 2);
}

// What one host reads may differ from what the others do, although it is called the same.
BOOST_AUTO_TEST_CASE(of_a_shard_on_one_host_is_seen_by_all) {
    const TempDir dir;
    save_twice(dir / "run", 4);
    for (int shard = 0; shard < 4; ++shard) {
        fs::remove_all(dir / "other");
        fs::copy(dir / "run", dir / "other", fs::copy_options::recursive);
        const std::string name = "shard-0000" + std::to_string(shard) + "-of-00004.safetensors";
        const fs::path damaged = dir / "other" / "checkpoints" / "step-00000200" / name;
        std::string bytes = read_bytes(damaged);
        bytes.back() = static_cast<char>(bytes.back() ^ 1);
        write_bytes(damaged, bytes);
        for (const int ranks_per_host : {1, 2, 3}) {
            std::vector<std::int64_t> steps(4, -1);
            const std::string log = logged(dir, [&] {
                run_ranks(
                    4,
                    [&](Communicator& comm) {
                        const bool on_last_host = comm.rank() / ranks_per_host == 3 / ranks_per_host;
                        const auto found = find_newest_checkpoint(dir / (on_last_host ? "other" : "run"), comm);
                        steps[static_cast<std::size_t>(comm.rank())] = found->manifest.state.global_step;
                    },
                    ranks_per_host);
            });
            BOOST_TEST((steps == std::vector<std::int64_t>(4, 100)), name << ", " << ranks_per_host << " a host");
            BOOST_TEST(log.find(name + " is damaged") != std::string::npos, log);
        }
    }
}

// All that is read from best/: weights, shape, note.
struct Loaded {
    Arena arena{toy_layout(), 1, 1 << 20, host_allocator(), false};
    ModelOptions model;
    std::string note;

    explicit Loaded(const fs::path& best) {
        model = read_model_options(best);
        load_model(best, arena);
        note = read_model_note(best);
    }
    bool equals(const Loaded& other) const {
        return arena.flat_weights().equal(other.arena.flat_weights()) && model == other.model && note == other.note;
    }
};

// damaged: named, or without any effect
void check_best(const fs::path& best, const std::string& file, const Loaded& whole, const std::string& how,
                int& named) {
    try {
        const Loaded loaded(best);
        BOOST_TEST(loaded.equals(whole), file << ", " << how << ": loaded");
    } catch (const Error& error) {
        ++named;
        BOOST_TEST((error.code() == ExitCode::bad_data || error.code() == ExitCode::missing_input), error.what());
        BOOST_TEST(std::string(error.what()).find("best") != std::string::npos,
                   file << ", " << how << ": " << error.what());
    }
}

BOOST_AUTO_TEST_CASE(of_the_best_weights_is_named) {
    const TempDir dir;
    const fs::path best = dir / "best";
    {
        Arena arena{toy_layout(), 1, 1 << 20, host_allocator(), false};
        fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);
        save_whole(best, arena, toy_model(), R"({"epoch": 3, "vocabulary_xxh3": "0123456789abcdef"})");
    }
    const Loaded whole(best);
    BOOST_TEST((whole.model == toy_model()));
    for (const std::string file : {"model.safetensors", "config.json"}) {
        const std::string bytes = read_bytes(best / file);
        int named = 0, tried = 0;
        for (const Damage& damage : damages_of(bytes, 7)) {
            put(best / file, damage.bytes);
            check_best(best, file, whole, damage.name, named);
            ++tried;
        }
        // weights of ours say all of it themselves; config.json is for other programs
        BOOST_TEST(named == (file == "config.json" ? 0 : tried), file);
        write_bytes(best / file, bytes);
    }
}

BOOST_AUTO_TEST_CASE(of_each_bit_of_the_header_of_weights_is_named_or_changes_nothing) {
    const TempDir dir;
    const fs::path best = dir / "best", file = best / "model.safetensors";
    {
        Arena arena{toy_layout(), 1, 1 << 20, host_allocator(), false};
        fill_toy(arena, {0, arena.length()}, arena.weight_data(), 1);
        save_whole(best, arena, toy_model(), R"({"epoch": 3})");
    }
    const Loaded whole(best);
    std::string bytes = read_bytes(file);
    const std::size_t end = 8 + static_cast<unsigned char>(bytes[0]) + 256U * static_cast<unsigned char>(bytes[1]);
    int named = 0, tried = 0;
    for (std::size_t at = 0; at < end; ++at) {
        for (int bit = 0; bit < 8; ++bit, ++tried) {
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
            write_bytes(file, bytes);
            check_best(best, "byte " + std::to_string(at), whole, "bit " + std::to_string(bit), named);
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
        }
    }
    BOOST_TEST_MESSAGE(named << " of " << tried << " named");
    BOOST_TEST(named > tried * 95 / 100);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

// Weights read once per host, in worlds of one and two hosts: who reads, what arrives, what a failure does. And --init
// from checkpoints at another resolution.
#include "src/checkpoint/init/spread_weights.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <mutex>

#include "blip/base/error.h"
#include "blip/weights/safetensors.h"
#include "tests/support/paths.h"
#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {
namespace {

constexpr int kRanks = 5;

// What body throws on each rank ("" for nothing); ranks_per_node as in run_ranks.
std::vector<std::string> messages_of(int ranks_per_node, const std::function<void(Communicator&)>& body) {
    std::vector<std::string> messages(kRanks);
    run_ranks(
        kRanks,
        [&](Communicator& comm) {
            try {
                body(comm);
            } catch (const Error& error) {
                messages[static_cast<std::size_t>(comm.rank())] =
                    std::to_string(static_cast<int>(error.code())) + " " + error.what();
            }
        },
        ranks_per_node);
    return messages;
}

// 10 pieces of 100 elements, element i has the value i + 1000 * host
void read_pieces(const WeightSink& sink, int host, int pieces = 10) {
    for (int piece = 0; piece < pieces; ++piece) {
        std::vector<float> values;
        for (int i = 0; i < 100; ++i) values.push_back(static_cast<float>(100 * piece + i + 1000 * host));
        sink(100 * piece, values);
    }
}

BOOST_AUTO_TEST_SUITE(spread_weights)

BOOST_AUTO_TEST_CASE(the_first_rank_of_each_host_reads_and_all_have_its_values) {
    for (const int ranks_per_node : {1, 2, 3, 5}) {
        std::atomic<int> readers = 0, wrong = 0;
        const auto messages = messages_of(ranks_per_node, [&](Communicator& comm) {
            const int host = comm.rank() / ranks_per_node;
            std::vector<float> arena(1000, -1.0F);
            read_once_per_host(
                comm,
                [&](const WeightSink& sink) {
                    ++readers;
                    read_pieces(sink, host);
                },
                [&](std::int64_t begin, std::span<const float> values) {
                    std::copy(values.begin(), values.end(), arena.begin() + begin);
                });
            for (int i = 0; i < 1000; ++i)
                wrong += arena[static_cast<std::size_t>(i)] != static_cast<float>(i + 1000 * host);
        });
        BOOST_TEST(readers == (kRanks + ranks_per_node - 1) / ranks_per_node);
        BOOST_TEST(wrong == 0);
        for (const std::string& message : messages) BOOST_TEST(message == "");
    }
}

// The second of two hosts fails after four pieces; the first one is through.
BOOST_AUTO_TEST_CASE(a_reader_that_fails_ends_its_host_with_its_message) {
    const auto messages = messages_of(3, [&](Communicator& comm) {
        read_once_per_host(
            comm,
            [&](const WeightSink& sink) {
                read_pieces(sink, 0, comm.rank() == 0 ? 10 : 4);
                if (comm.rank() != 0) throw Error(ExitCode::bad_data, "x.pth: entry 'a' is damaged");
            },
            [](std::int64_t, std::span<const float>) {});
    });
    BOOST_TEST(messages == (std::vector<std::string>{"", "", "", "65 x.pth: entry 'a' is damaged",
                                                     "65 x.pth: entry 'a' is damaged"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_failing_sink_is_its_ranks_own_trouble_unless_it_is_the_readers) {
    for (const int failing : {0, 1}) {
        std::array<std::atomic<int>, kRanks> pieces{};
        const auto messages = messages_of(5, [&](Communicator& comm) {
            read_once_per_host(
                comm, [&](const WeightSink& sink) { read_pieces(sink, 0); },
                [&](std::int64_t begin, std::span<const float>) {
                    if (comm.rank() == failing && begin == 300) throw Error(ExitCode::internal, "no memory");
                    ++pieces[static_cast<std::size_t>(comm.rank())];
                });
        });
        for (int rank = 0; rank < kRanks; ++rank) {
            BOOST_TEST(messages[static_cast<std::size_t>(rank)] ==
                       (failing == 0 || rank == failing ? "70 no memory" : ""));
            BOOST_TEST(pieces[static_cast<std::size_t>(rank)] == (failing == 0 || rank == failing ? 3 : 10));
        }
    }
}

BOOST_AUTO_TEST_CASE(load_model_gives_all_ranks_the_weights_or_one_error) {
    const TempDir dir;
    Arena filled(toy_layout(), 1, 1 << 20, host_allocator(), false);
    fill_toy(filled, {0, filled.length()}, filled.weight_data(), 7);
    save_whole(dir / "best", filled, {}, "");
    for (const int ranks_per_node : {1, 2, 5}) {
        std::atomic<int> whole = 0;
        const auto messages = messages_of(ranks_per_node, [&](Communicator& comm) {
            ToyRun run(comm, 700), expected(comm, 700);
            load_model(dir / "best", run.arena, run.optimizer.weight_sink(), &comm);
            expected.fill(7);
            whole += run.arena.flat_weights().equal(expected.arena.flat_weights());
        });
        for (const std::string& message : messages) BOOST_TEST(message == "");
        BOOST_TEST(whole == kRanks);
    }
    std::string bytes = read_bytes(dir / "best" / "model.safetensors");
    bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 1);
    write_bytes(dir / "best" / "model.safetensors", bytes);
    const auto messages = messages_of(2, [&](Communicator& comm) {
        Arena arena(toy_layout(), 1, 1 << 20, host_allocator(), false);
        load_model(dir / "best", arena, &comm);
    });
    for (const std::string& message : messages) {
        BOOST_TEST(message.starts_with("65 "), message);
        BOOST_TEST(message.find("is damaged") != std::string::npos, message);
        BOOST_TEST(message == messages[0]);
    }
}

// Each host has another file under the same name.
BOOST_AUTO_TEST_CASE(hosts_with_different_files_are_found_out) {
    const TempDir dir;
    for (const int version : {0, 1}) {
        Arena filled(toy_layout(), 1, 1 << 20, host_allocator(), false);
        fill_toy(filled, {0, filled.length()}, filled.weight_data(), version);
        save_whole(dir / std::to_string(version), filled, {}, "");
    }
    const auto messages = messages_of(2, [&](Communicator& comm) {
        Arena arena(toy_layout(), 1, 1 << 20, host_allocator(), false);
        load_model(dir / (comm.rank() >= 4 ? "1" : "0"), arena, &comm);
    });
    for (const std::string& message : messages)
        BOOST_TEST(message.starts_with("65 rank 0 and rank 4 read different weights"), message);
}

BOOST_AUTO_TEST_CASE(a_checkpoints_positions_are_resized_like_any_others) {
    const TempDir dir;
    const auto layout_at = [](std::int64_t side) {
        Layout layout;
        layout.declare("visual_encoder.pos_embed", {1, 1 + side * side, 6}, Init::zeros());
        layout.declare("other", {50}, Init::zeros());
        return layout;
    };
    run_ranks(2, [&](Communicator& comm) {
        CheckpointWriter writer(dir.path(), 5, comm);
        Arena arena(layout_at(4), 2, 64, host_allocator());
        ShardedAdamW optimizer(arena, comm, {});
        const auto sink = optimizer.weight_sink();
        for (std::int64_t i = 0; i < arena.length(); ++i) {
            const auto value = static_cast<float>(i % 13);
            sink(i, {&value, 1});
        }
        if (comm.rank() == 0) save_whole(dir / "same", arena, {}, "");
        writer.start_save(toy_manifest(100), arena, optimizer.state());
        if (!writer.finish_save()) throw std::runtime_error("save failed");
    });
    for (const std::int64_t side : {4, 2, 6}) {
        Arena from_checkpoint(layout_at(side), 1, 64, host_allocator(), false);
        Arena from_model(layout_at(side), 1, 64, host_allocator(), false);
        load_model(dir / "checkpoints" / "step-00000100", from_checkpoint);
        load_model(dir / "same", from_model);
        BOOST_TEST(from_checkpoint.flat_weights().equal(from_model.flat_weights()));
        BOOST_TEST(from_model.weights()[1].max().item<float>() == 12.0F);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

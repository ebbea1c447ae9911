// Communicator over real MPI ranks, against closed forms; runs at any number of ranks.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <thread>

#include "blip/base/error.h"
#include "blip/base/phase.h"
#include "blip/comm/mpi/communicator.h"
#include "blip/comm/run_together.h"
#include "tests/support/ranks.h"

namespace blip::test {
namespace {

// a float that differs by rank and place, and whose sums depend on the order of addition
float value(int rank, std::int64_t i) {
    return std::sin(0.37F * static_cast<float>(i % 1009 + 1) * static_cast<float>(rank + 1));
}

float sum_by_rank(int size, std::int64_t i) {
    float sum = value(0, i);
    for (int r = 1; r < size; ++r) sum += value(r, i);
    return sum;
}

BOOST_AUTO_TEST_SUITE(communicator)

BOOST_AUTO_TEST_CASE(reduce_scatter_adds_in_rank_order) {
    Communicator& comm = world();
    for (const std::int64_t count : {1, 128, 5000, 1 << 20}) {
        for (const bool in_place : {false, true}) {
            std::vector<float> send(static_cast<std::size_t>(count * comm.size()));
            for (std::size_t i = 0; i < send.size(); ++i) send[i] = value(comm.rank(), static_cast<std::int64_t>(i));
            std::vector<float> apart(static_cast<std::size_t>(count), -1.0F);
            float* receive = in_place ? send.data() + comm.rank() * count : apart.data();
            comm.wait(comm.start_reduce_scatter(send.data(), receive, count, "test"));
            std::int64_t wrong = 0;    // compared bit for bit: the order of summation is part of the contract
            for (std::int64_t i = 0; i < count; ++i)
                wrong += receive[i] != sum_by_rank(comm.size(), comm.rank() * count + i);
            BOOST_TEST(wrong == 0, "count " << count << " in place " << in_place);
        }
    }
}

BOOST_AUTO_TEST_CASE(collectives_in_flight_do_not_mix) {
    Communicator& comm = world();
    constexpr std::int64_t count = 3000;
    constexpr int buckets = 6;
    std::vector<std::vector<float>> send(buckets), gathered(buckets);
    std::vector<WorkPtr> works;
    for (int b = 0; b < buckets; ++b) {
        send[static_cast<std::size_t>(b)].assign(static_cast<std::size_t>(count * comm.size()),
                                                 static_cast<float>(b + comm.rank()));
        float* data = send[static_cast<std::size_t>(b)].data();
        works.push_back(comm.start_reduce_scatter(data, data + comm.rank() * count, count, "test"));
    }
    for (int b = 0; b < buckets; ++b) {
        comm.wait(std::move(works[static_cast<std::size_t>(b)]));
        works[static_cast<std::size_t>(b)] =
            comm.start_all_gather(send[static_cast<std::size_t>(b)].data(), 4 * count, "test");
    }
    for (auto& work : works) comm.wait(std::move(work));
    for (int b = 0; b < buckets; ++b) {
        const auto expected = static_cast<float>(comm.size() * b + comm.size() * (comm.size() - 1) / 2);
        std::int64_t wrong = 0;
        for (const float got : send[static_cast<std::size_t>(b)]) wrong += got != expected;
        BOOST_TEST(wrong == 0);
    }
}

BOOST_AUTO_TEST_CASE(all_gather_in_place) {
    Communicator& comm = world();
    constexpr std::int64_t count = 70000;
    std::vector<float> buffer(static_cast<std::size_t>(count * comm.size()), -1.0F);
    std::fill_n(buffer.begin() + comm.rank() * count, count, static_cast<float>(comm.rank()));
    comm.wait(comm.start_all_gather(buffer.data(), 4 * count, "test"));
    for (int r = 0; r < comm.size(); ++r) {
        BOOST_TEST(std::count(buffer.begin() + r * count, buffer.begin() + (r + 1) * count, static_cast<float>(r)) ==
                   count);
    }
}

BOOST_AUTO_TEST_CASE(host_sum_is_the_same_on_all_ranks) {
    Communicator& comm = world();
    std::vector<double> values = {1, 0.1 * (comm.rank() + 1), static_cast<double>(comm.rank())};
    comm.host_sum(values, "test");
    double tenths = 0;
    for (int r = 0; r < comm.size(); ++r) tenths += 0.1 * (r + 1);
    BOOST_TEST(values[0] == comm.size());
    BOOST_TEST(values[1] == tenths);
    BOOST_TEST(values[2] == comm.size() * (comm.size() - 1) / 2);
    comm.host_sum({}, "nothing");
    comm.wait(nullptr);
}

BOOST_AUTO_TEST_CASE(strings_travel_whole) {
    Communicator& comm = world();
    std::string text = comm.rank() == 0 ? std::string("a\0b", 3) + std::string(100000, 'x') : "longer or shorter";
    comm.broadcast(text, "test");
    BOOST_TEST(text == std::string("a\0b", 3) + std::string(100000, 'x'));
    std::string empty = comm.rank() == 0 ? "" : "not empty";
    comm.broadcast(empty, "test");
    BOOST_TEST(empty.empty());

    const std::string own(static_cast<std::size_t>(comm.rank() * 1000), static_cast<char>('a' + comm.rank()));
    const auto check = [&](const std::vector<std::string>& parts) {
        BOOST_REQUIRE(parts.size() == static_cast<std::size_t>(comm.size()));
        for (int r = 0; r < comm.size(); ++r)
            BOOST_TEST(parts[static_cast<std::size_t>(r)] ==
                       std::string(static_cast<std::size_t>(r * 1000), static_cast<char>('a' + r)));
    };
    check(comm.all_gather_strings(own, "test"));
    const auto on_root = comm.gather(own, "test");
    if (comm.rank() == 0)
        check(on_root);
    else
        BOOST_TEST(on_root.empty());
}

BOOST_AUTO_TEST_CASE(hosts_broadcast_by_themselves) {
    BOOST_TEST(world().node_rank() == session().local_rank());
    BOOST_TEST(world().node_size() == session().local_size());
    for (const int ranks_per_node : {1, 2, 0}) {
        const auto comm = make_mpi_communicator({}, ranks_per_node);
        const int width = ranks_per_node > 0 ? ranks_per_node : comm->size();
        const int node = comm->rank() / width, first = node * width;
        BOOST_TEST(comm->node_rank() == comm->rank() - first);
        BOOST_TEST(comm->node_size() == std::min(width, comm->size() - first));
        // not as often on each host
        for (int round = 0; round <= node; ++round) {
            std::vector<std::int64_t> values(200'000, comm->rank() * 10 + round);
            comm->node_broadcast(std::as_writable_bytes(std::span(values)), "test");
            BOOST_TEST(std::count(values.begin(), values.end(), first * 10 + round) == 200'000);
        }
        comm->node_broadcast({}, "nothing");
        comm->barrier("test");
    }
}

BOOST_AUTO_TEST_CASE(allocated_memory_is_zeroed_and_aligned) {
    const std::shared_ptr<void> memory = world().allocate(1000001);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(memory.get()) % 4096 == 0U);
    const auto* bytes = static_cast<const unsigned char*>(memory.get());
    BOOST_TEST(std::accumulate(bytes, bytes + 1000001, 0U) == 0U);
    BOOST_CHECK_THROW(world().allocate(std::size_t{1} << 60), Error);
}

// The last rank comes late; the others' deadline passes, with a message that says who, what and how long. What was
// started stays in flight, so that the late rank still finds its partners.
BOOST_AUTO_TEST_CASE(deadline_names_operation_rank_and_seconds) {
    using namespace std::chrono_literals;
    if (world().size() == 1) return;    // nobody to wait for
    CommOptions options;
    options.timeout_s = 0.3;
    const auto impatient = make_mpi_communicator(options);
    const int late = impatient->size() - 1;
    std::vector<float> send(static_cast<std::size_t>(100 * impatient->size()), 1.0F), receive(100);
    const auto says = [&](const char* what) {
        return [&, what](const Error& error) {
            const std::string text = error.what();
            BOOST_TEST_MESSAGE(text);
            return error.code() == ExitCode::internal && text.find(what) != std::string::npos &&
                   text.find("0.3 s") != std::string::npos &&
                   text.find("rank " + std::to_string(impatient->rank())) != std::string::npos &&
                   text.find(host_name()) != std::string::npos;
        };
    };
    if (impatient->rank() != late) {
        const auto start = std::chrono::steady_clock::now();
        const auto names_late_rank = [&](const Error& error) {
            return says("bucket 7")(error) &&
                   std::string(error.what()).find("late: rank " + std::to_string(late)) != std::string::npos;
        };
        BOOST_CHECK_EXCEPTION(
            impatient->wait(impatient->start_reduce_scatter(send.data(), receive.data(), 100, "bucket 7")), Error,
            names_late_rank);
        BOOST_CHECK_EXCEPTION(impatient->barrier("end of epoch"), Error, says("end of epoch"));
        BOOST_TEST(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 8.0);
    }
    world().barrier("test");
    if (impatient->rank() == late) {
        impatient->wait(impatient->start_reduce_scatter(send.data(), receive.data(), 100, "bucket 7"));
        BOOST_TEST(receive[99] == static_cast<float>(impatient->size()));
    }
    world().barrier("test");
}

// Each rank as on a host of its own: what the others were doing comes by messages, from those that wait as well.
BOOST_AUTO_TEST_CASE(the_deadlines_message_tells_what_ranks_of_other_hosts_do) {
    if (world().size() == 1) return;
    CommOptions options;
    options.timeout_s = 1;    // enough for the others to begin to wait, and so to answer
    const auto impatient = make_mpi_communicator(options, 1);
    const int late = impatient->size() - 1, rank = impatient->rank();
    std::string said;
    if (rank != late) {
        try {
            enter_step(4, 40 + rank);
            impatient->barrier("end of epoch");
        } catch (const Error& error) {
            said = error.what();
        }
    }
    world().barrier("test");
    if (rank == late) impatient->barrier("end of epoch");
    if (rank == 0) {
        BOOST_TEST_MESSAGE(said);
        const auto says = [&](const std::string& part) { return said.find(part) != std::string::npos; };
        BOOST_TEST(says("late: rank " + std::to_string(late) + ": "));
        for (int r = 0; r < late; ++r) BOOST_TEST(says("4, " + std::to_string(40 + r)));
        BOOST_TEST(says("waiting for 'end of epoch'"));
        BOOST_TEST(says("no answer from rank " + std::to_string(late) + " (late)"));
    }
    world().barrier("test");
}

BOOST_AUTO_TEST_CASE(work_of_the_first_rank_may_take_longer_than_the_deadline_while_it_computes) {
    CommOptions options;
    options.timeout_s = 1;
    const auto impatient = make_mpi_communicator(options);
    // Rank 0's: the ranks of the test share a clock, but not the moment at which they get here.
    std::string end_text = std::to_string(steady_now_ns() + 2'500'000'000);
    impatient->broadcast(end_text, "end of the work");
    const std::int64_t end = std::stoll(end_text);
    bool done = false;
    first_rank_works(*impatient, "long work", [&] {
        while (steady_now_ns() < end) {
        }
        done = true;
    });
    BOOST_TEST(done == (impatient->rank() == 0));
    BOOST_TEST(steady_now_ns() >= end);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

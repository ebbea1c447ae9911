// NCCL's collectives against closed forms, at any number of ranks: on real GPUs (build/tests/nccl_gpu), and on the
// fakes (build/tests/nccl_fake), where everything queued comes late and out of step.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "blip/base/cuda.h"
#include "blip/base/error.h"
#include "blip/base/gpu_presence.h"
#include "tests/nccl/nccl_world.h"
#include "tests/support/ranks.h"

namespace blip::test {
namespace {

// Small whole numbers: their sums are exact in any order.
float value(int rank, std::int64_t i) { return static_cast<float>(i % 1009 + 1000 * rank); }
float sum_of_ranks(int size, std::int64_t i) {
    return static_cast<float>(i % 1009 * size + 1000 * (size * (size - 1) / 2));
}
std::vector<float> values_of(int rank, std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) values[static_cast<std::size_t>(i)] = value(rank, i);
    return values;
}

BOOST_AUTO_TEST_SUITE(nccl, *boost::unit_test::precondition(has_device))

BOOST_AUTO_TEST_CASE(collectives_fall_between_what_is_queued_before_and_after) {
    Collectives& comm = nccl_world();
    for (const std::int64_t count : {128, 5000, 1 << 18}) {
        for (const bool in_place : {false, true}) {
            const std::int64_t all = count * comm.size();
            const std::shared_ptr<void> memory = comm.allocate(static_cast<std::size_t>(all + count) * sizeof(float));
            auto* send = static_cast<float*>(memory.get());
            float* receive = in_place ? send + comm.rank() * count : send + all;
            const std::vector<float> values = values_of(comm.rank(), all);
            std::vector<float> got(static_cast<std::size_t>(count)), gathered(static_cast<std::size_t>(all));
            upload(send, values);
            comm.wait(comm.start_reduce_scatter(send, receive, count, "test"));
            download(got, receive);
            std::int64_t wrong = 0;
            if (in_place) {
                comm.wait(comm.start_all_gather(send, count * 4, "test"));
                download(gathered, send);
            }
            finish_device_work();
            for (std::int64_t i = 0; i < count; ++i)
                wrong += got[static_cast<std::size_t>(i)] != sum_of_ranks(comm.size(), comm.rank() * count + i);
            for (std::int64_t i = 0; in_place && i < all; ++i)
                wrong += gathered[static_cast<std::size_t>(i)] != sum_of_ranks(comm.size(), i);
            BOOST_TEST(wrong == 0, "count " << count << " in place " << in_place);
        }
    }
}

// As the optimizer does it: all buckets in flight, each waited for, changed on the device, and gathered.
BOOST_AUTO_TEST_CASE(collectives_in_flight_do_not_mix) {
    Collectives& comm = nccl_world();
    constexpr std::int64_t count = 3000;
    constexpr int buckets = 6, steps = 4;
    const std::int64_t all = count * comm.size();
    const std::shared_ptr<void> memory = comm.allocate(static_cast<std::size_t>(buckets * all) * sizeof(float));
    auto* arena = static_cast<float*>(memory.get());
    for (int step = 0; step < steps; ++step) {
        std::vector<std::vector<float>> values(buckets);
        std::vector<WorkPtr> works;
        for (int b = 0; b < buckets; ++b) {
            auto& of_bucket = values[static_cast<std::size_t>(b)];
            of_bucket.assign(static_cast<std::size_t>(all), static_cast<float>(100 * step + 10 * b + comm.rank()));
            upload(arena + b * all, of_bucket);
            works.push_back(
                comm.start_reduce_scatter(arena + b * all, arena + b * all + comm.rank() * count, count, "test"));
        }
        for (int b = 0; b < buckets; ++b) {
            comm.wait(std::move(works[static_cast<std::size_t>(b)]));
            works[static_cast<std::size_t>(b)] = comm.start_all_gather(arena + b * all, 4 * count, "test");
        }
        for (auto& work : works) comm.wait(std::move(work));
        comm.finish_exchanges();
        comm.wait(nullptr);
        std::vector<float> got(static_cast<std::size_t>(buckets * all));
        download(got, arena);
        finish_device_work();
        std::int64_t wrong = 0;
        for (int b = 0; b < buckets; ++b) {
            const auto expected =
                static_cast<float>(comm.size() * (100 * step + 10 * b) + comm.size() * (comm.size() - 1) / 2);
            wrong += all - std::count(got.begin() + b * all, got.begin() + (b + 1) * all, expected);
        }
        BOOST_TEST(wrong == 0, "step " << step);
    }
}

// As an update on GPUs gathers: buffers of several sizes, each waiting for what was queued before.
BOOST_AUTO_TEST_CASE(gathers_together_are_each_in_its_place) {
    Collectives& comm = nccl_world();
    BOOST_TEST(comm.start_all_gathers({}, "test").empty());
    const std::vector<std::int64_t> counts = {128, 3000, 1, 70000};
    std::int64_t longest = 0;
    for (const std::int64_t count : counts) longest += count * comm.size();
    const std::shared_ptr<void> memory = comm.allocate(static_cast<std::size_t>(longest) * sizeof(float));
    for (int step = 0; step < 3; ++step) {
        std::vector<GatherPart> parts;
        std::vector<float> values, expected;
        for (const std::int64_t count : counts) {
            parts.push_back({static_cast<float*>(memory.get()) + values.size(), count * 4});
            for (int r = 0; r < comm.size(); ++r) {
                const auto of_rank = static_cast<float>(1000 * step + 100 * r) + static_cast<float>(parts.size());
                values.insert(values.end(), static_cast<std::size_t>(count), r == comm.rank() ? of_rank : -1.0F);
                expected.insert(expected.end(), static_cast<std::size_t>(count), of_rank);
            }
        }
        upload(static_cast<float*>(memory.get()), values);
        for (WorkPtr& work : comm.start_all_gathers(parts, "test")) comm.wait(std::move(work));
        std::vector<float> got(values.size());
        download(got, static_cast<const float*>(memory.get()));
        finish_device_work();
        BOOST_TEST((got == expected), "step " << step);
    }
}

// Backward runs its hooks in threads of LibTorch's.
BOOST_AUTO_TEST_CASE(another_thread_may_start_what_this_one_waits_for) {
    Collectives& comm = nccl_world();
    constexpr std::int64_t count = 256;
    const std::shared_ptr<void> memory = comm.allocate(static_cast<std::size_t>(count * comm.size()) * sizeof(float));
    auto* send = static_cast<float*>(memory.get());
    const std::vector<float> values = values_of(comm.rank(), count * comm.size());
    upload(send, values);
    WorkPtr work;
    std::thread([&] { work = comm.start_reduce_scatter(send, send + comm.rank() * count, count, "test"); }).join();
    comm.wait(std::move(work));
    std::vector<float> got(count);
    download(got, send + comm.rank() * count);
    finish_device_work();
    BOOST_TEST(got.back() == sum_of_ranks(comm.size(), comm.rank() * count + count - 1));
}

BOOST_AUTO_TEST_CASE(allocated_memory_is_zeroed_and_aligned) {
    Collectives& comm = nccl_world();
    const std::shared_ptr<void> memory = comm.allocate(1000004);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(memory.get()) % 4096 == 0U);
    std::vector<float> got(250001, 1.0F);
    download(got, static_cast<const float*>(memory.get()));
    finish_device_work();
    BOOST_TEST(std::count(got.begin(), got.end(), 0.0F) == 250001);
    BOOST_CHECK_EXCEPTION(comm.allocate(std::size_t{1} << 50), Error, [&](const Error& error) {
        const std::string text = error.what();
        BOOST_TEST_MESSAGE(text);
        return text.find("rank " + std::to_string(comm.rank()) + " on " + host_name()) != std::string::npos &&
               text.find("no memory") != std::string::npos && text.find("on GPU ") != std::string::npos;
    });
}

// Memory may outlive the end of NCCL; nothing can be started after it.
BOOST_AUTO_TEST_CASE(ends_in_order_and_only_once) {
    const std::unique_ptr<Collectives> comm = make_nccl_world({});
    std::shared_ptr<void> memory = comm->allocate(4096);
    auto* send = static_cast<float*>(memory.get());
    comm->wait(comm->start_all_gather(send, 64, "test"));
    comm->finish();
    BOOST_CHECK_THROW(comm->start_all_gather(send, 64, "too late"), Error);
    world().barrier("test");
    memory.reset();
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

// What only the fakes can show: that the host never waits for a collective, and in which order NCCL is told things.
#include "tests/nccl/fakes.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "blip/base/cuda.h"
#include "tests/nccl/nccl_world.h"

namespace blip::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// What the process calls from here on.
struct Calls {
    std::size_t begin = fakes::nccl_calls().size();
    std::string text() const { return fakes::nccl_calls().substr(begin); }
};

BOOST_AUTO_TEST_SUITE(nccl_on_fakes)

BOOST_AUTO_TEST_CASE(the_host_does_not_wait_for_collectives) {
    Collectives& comm = nccl_world();
    const std::shared_ptr<void> memory = comm.allocate(4096);
    auto* data = static_cast<float*>(memory.get());
    fakes::enqueue(nullptr, [] { std::this_thread::sleep_for(500ms); });    // what the device computes before
    const auto start = Clock::now();
    for (int i = 0; i < 4; ++i) comm.wait(comm.start_all_gather(data, 64, "test"));
    comm.wait(comm.start_reduce_scatter(data, data + comm.rank() * 16, 16, "test"));
    BOOST_TEST((Clock::now() - start < 400ms));
    finish_device_work();
    BOOST_TEST((Clock::now() - start > 400ms));
}

BOOST_AUTO_TEST_CASE(gathers_together_are_one_group) {
    Collectives& comm = nccl_world();
    const std::shared_ptr<void> memory = comm.allocate(std::size_t{16384} * 3);
    auto* data = static_cast<char*>(memory.get());
    const GatherPart parts[] = {{data, 64}, {data + 4096, 128}, {data + 8192, 4}};
    const Calls calls;
    std::vector<WorkPtr> works = comm.start_all_gathers(parts, "test");
    BOOST_TEST(works.size() == 1U);
    for (WorkPtr& work : works) comm.wait(std::move(work));
    BOOST_TEST(calls.text() == " group_start all_gather all_gather all_gather group_end");
    finish_device_work();
}

BOOST_AUTO_TEST_CASE(what_was_registered_is_taken_back_before_the_end) {
    const int living = fakes::living_allocations();
    const Calls calls;
    {
        const std::unique_ptr<Collectives> comm = make_nccl_world({});
        const std::shared_ptr<void> early = comm->allocate(4096), late = comm->allocate(4096);
        comm->allocate(4096).reset();
        comm->wait(comm->start_all_gather(early.get(), 64, "test"));
        comm->finish();
        BOOST_TEST(fakes::living_allocations() == living + 2);
    }
    BOOST_TEST(fakes::living_allocations() == living);
    const std::string expected =
        " init alloc register alloc register alloc register deregister free all_gather deregister deregister finalize "
        "destroy free free";
    BOOST_TEST(calls.text().ends_with(expected), calls.text());
}

BOOST_AUTO_TEST_CASE(plain_device_memory_where_nccl_has_none) {
    ::setenv("FAKE_NCCL", "no_nccl_memory no_registration", 1);
    const int living = fakes::living_allocations();
    const Calls calls;
    {
        const std::unique_ptr<Collectives> comm = make_nccl_world({});
        const std::shared_ptr<void> memory = comm->allocate(10000);
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(memory.get()) % 4096 == 0U);
        const auto* bytes = static_cast<const unsigned char*>(memory.get());
        BOOST_TEST(std::count(bytes, bytes + 10000, 0) == 10000);
        comm->finish();
    }
    ::unsetenv("FAKE_NCCL");
    BOOST_TEST(fakes::living_allocations() == living);
    BOOST_TEST(calls.text().ends_with(" init alloc register finalize destroy"), calls.text());
}

// Nothing is freed while an error unwinds: that could wait for ranks that are gone.
BOOST_AUTO_TEST_CASE(an_error_leaves_memory_alone) {
    const std::unique_ptr<Collectives> comm = make_nccl_world({});
    const int living = fakes::living_allocations();
    const Calls calls;
    try {
        const std::shared_ptr<void> memory = comm->allocate(4096);
        throw std::runtime_error("of another kind");
    } catch (const std::runtime_error&) {
        BOOST_TEST(fakes::living_allocations() == living + 1);
    }
    BOOST_TEST(calls.text() == " alloc register");
    comm->finish();
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

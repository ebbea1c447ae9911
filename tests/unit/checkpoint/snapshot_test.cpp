// The two ways to copy a rank's state for a checkpoint. The one of devices works on the CPU, too: its memory is then
// plain, and what it queues is done at once.
#include "src/checkpoint/snapshot.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <set>

#include "tests/unit/checkpoint/toy_run.h"

namespace blip::test {
namespace {

constexpr std::int64_t bucket_bytes = 700;

std::set<const void*> places(const Snapshot& snapshot) {
    std::set<const void*> found;
    for (const NamedTensor& named : snapshot.tensors()) found.insert(named.tensor.storage().data());
    return found;
}

bool same_tensors(const Snapshot& a, const Snapshot& b) {
    if (a.tensors().size() != b.tensors().size() || a.update_count() != b.update_count()) return false;
    for (std::size_t i = 0; i < a.tensors().size(); ++i)
        if (a.tensors()[i].name != b.tensors()[i].name || !a.tensors()[i].tensor.equal(b.tensors()[i].tensor) ||
            !b.tensors()[i].tensor.is_contiguous())
            return false;
    return true;
}

BOOST_AUTO_TEST_SUITE(snapshot)

BOOST_AUTO_TEST_CASE(of_a_device_it_holds_what_it_holds_of_the_host) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        std::atomic<int> same = 0, sources = 0;
        run_ranks(3, [&](Communicator& comm) {
            ToyRun toy(comm, bucket_bytes, {at::kCPU, type});
            toy.fill(1);
            Snapshot host = Snapshot::of_host(toy.arena, toy.optimizer.state());
            sources += host.needs_sources();
            host.complete();
            StagedState staged;
            Snapshot device = Snapshot::of_device(toy.arena, toy.optimizer.state(), staged);
            sources += device.needs_sources();
            toy.fill(99);    // what comes behind the copies
            device.complete();
            same += same_tensors(host, device) && host.update_count() == 1001;
        });
        BOOST_TEST(same == 3);
        BOOST_TEST(sources == 3);    // of the host's alone
    }
}

// One copy a bucket and kind, into memory that later saves use again.
BOOST_AUTO_TEST_CASE(staging_memory_is_kept) {
    run_ranks(1, [&](Communicator& comm) {
        ToyRun toy(comm, bucket_bytes);
        StagedState staged;
        std::set<const void*> first;
        for (const int version : {1, 2, 3}) {
            toy.fill(version);
            Snapshot device = Snapshot::of_device(toy.arena, toy.optimizer.state(), staged);
            device.complete();
            Snapshot host = Snapshot::of_host(toy.arena, toy.optimizer.state());
            host.complete();
            BOOST_TEST(same_tensors(host, device));
            if (version == 1) first = places(device);
            BOOST_TEST((places(device) == first));
        }
        BOOST_TEST(toy.arena.buckets().size() > 2U);
        BOOST_TEST(first.size() == toy.arena.buckets().size());
    });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

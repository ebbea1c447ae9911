// Shares of cores and warnings for clusters that this machine is not.
#include "src/app/affinity.h"

#include <sched.h>

#include <boost/test/unit_test.hpp>

namespace blip::test {
namespace {

RankCores rank_on(const std::string& host, std::vector<int> cores, int host_cores, int threads = 1) {
    return {host, std::move(cores), host_cores, threads};
}

std::vector<int> shares(const std::vector<RankCores>& all) {
    std::vector<int> found;
    for (std::size_t rank = 0; rank < all.size(); ++rank) found.push_back(share_of_cores(all, rank));
    return found;
}

void expect(const std::vector<RankCores>& all, const std::vector<std::string>& starts) {
    const auto found = core_warnings(all);
    BOOST_REQUIRE_EQUAL(found.size(), starts.size());
    for (std::size_t i = 0; i < starts.size(); ++i)
        BOOST_TEST(found[i].starts_with(starts[i]), found[i] << "\n is not: " << starts[i]);
}

using Shares = std::vector<int>;

}    // namespace

BOOST_AUTO_TEST_SUITE(affinity)

BOOST_AUTO_TEST_CASE(shares_of_cores) {
    const auto four = rank_on("a", {0, 1, 2, 3}, 4);
    BOOST_TEST((shares({four}) == Shares{4}));
    BOOST_TEST((shares({four, four}) == Shares{2, 2}));
    BOOST_TEST((shares({four, four, four}) == Shares{1, 1, 1}));
    BOOST_TEST((shares({four, four, four, four, four}) == Shares{1, 1, 1, 1, 1}));
    // bound to cores of their own, in equal and in unequal parts
    BOOST_TEST((shares({rank_on("a", {0, 1}, 4), rank_on("a", {2, 3}, 4)}) == Shares{2, 2}));
    BOOST_TEST((shares({rank_on("a", {0}, 4), rank_on("a", {1, 2, 3}, 4)}) == Shares{1, 3}));
    // one bound, the others not: 1/3; 1/3 + 3/2 each
    BOOST_TEST((shares({rank_on("a", {0}, 4), four, four}) == Shares{1, 1, 1}));
    // several on the same few cores, of a host that has more
    BOOST_TEST((shares({rank_on("a", {4, 5, 6, 7}, 64), rank_on("a", {4, 5, 6, 7}, 64)}) == Shares{2, 2}));
    // three ranks on each of three cores: three thirds
    const auto three = rank_on("a", {0, 1, 2}, 3);
    BOOST_TEST((shares({three, three, three}) == Shares{1, 1, 1}));
    // cores of another host are others
    BOOST_TEST((shares({four, rank_on("b", {0, 1, 2, 3}, 4)}) == Shares{4, 4}));
}

BOOST_AUTO_TEST_CASE(what_is_warned_of) {
    const auto four = rank_on("a", {0, 1, 2, 3}, 4, 2);
    expect({four, four}, {});
    // every core in use by a rank of its own
    expect({rank_on("a", {0}, 2), rank_on("a", {1}, 2)}, {});
    expect({rank_on("a", {0}, 1)}, {});
    // mpirun -np 2 on a larger host, and others of the job elsewhere
    expect({rank_on("a", {0}, 16), rank_on("a", {1}, 16), rank_on("b", {0, 1, 2, 3}, 4, 4)},
           {"ranks 0-1 on a: bound to one core each of the 16 there; mpirun --bind-to none"});
    expect({rank_on("b", {0, 1}, 2, 2), rank_on("a", {7}, 16)}, {"rank 1 on a: bound to one core of the 16 there"});
    // two on one core, the other one idle: both troubles
    expect({rank_on("a", {0}, 2), rank_on("a", {0}, 2)}, {"ranks 0-1 on a: bound to one core each of the 2 there",
                                                          "ranks 0-1 on a: 2 compute threads share 1 core,"});
    // bound unevenly
    expect({rank_on("a", {0}, 4), rank_on("a", {1, 2, 3}, 4, 3)}, {"rank 0 on a: bound to one core of the 4 there"});
    // too many threads, by --threads or by too many ranks; on one host of two
    expect({rank_on("a", {0, 1}, 2, 2), rank_on("b", {0, 1}, 2, 2), rank_on("a", {0, 1}, 2, 2)},
           {"ranks 0, 2 on a: 4 compute threads share 2 cores"});
}

BOOST_AUTO_TEST_CASE(own_cores_are_found) {
    const RankCores own = find_own_cores();
    BOOST_TEST(!own.cores.empty());
    BOOST_TEST(own.host_cores >= static_cast<int>(own.cores.size()));
    BOOST_TEST(!own.host.empty());

    // bound to one core, the process still knows how many there are, and stays bound
    cpu_set_t before, one;
    BOOST_REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
    CPU_ZERO(&one);
    CPU_SET(own.cores.back(), &one);
    BOOST_REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
    const RankCores bound = find_own_cores(), again = find_own_cores();
    sched_setaffinity(0, sizeof before, &before);
    BOOST_TEST((bound.cores == std::vector<int>{own.cores.back()}));
    BOOST_TEST(bound.host_cores == own.host_cores);
    BOOST_TEST((again.cores == bound.cores));
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

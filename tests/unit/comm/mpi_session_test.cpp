// How MPI is started, in a process of its own: it starts once in a process.
#include "blip/comm/mpi/session.h"

#include <mpi.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <thread>

#include "tests/support/child_process.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(mpi_session)

// Backward's hooks start collectives in a thread of LibTorch's, which answers other ranks while it waits.
BOOST_AUTO_TEST_CASE(any_thread_may_call_one_at_a_time) {
    const TempDir dir;
    const Ended ended = in_a_child(dir / "said", [] {
        int argc = 0;
        char** argv = nullptr;
        const MpiSession session(&argc, &argv);
        int level = -1, flag = 0;
        MPI_Query_thread(&level);
        if (level < MPI_THREAD_SERIALIZED) std::fprintf(stderr, "thread level %d\n", level);
        std::thread([&] {
            MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag, MPI_STATUS_IGNORE);
            std::fprintf(stderr, "asked\n");
        }).join();
    });
    BOOST_TEST(ended.status == 0);
    BOOST_TEST(ended.said == "asked\n");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

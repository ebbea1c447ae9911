// Which GPU a rank takes.
#include <boost/test/unit_test.hpp>
#include <string>

#include "blip/base/error.h"
#include "blip/comm/nccl/collectives.h"

using namespace blip;

BOOST_AUTO_TEST_SUITE(choose_gpu_of_rank)

BOOST_AUTO_TEST_CASE(by_rank_on_the_host_or_the_only_one) {
    for (int local = 0; local < 8; ++local) BOOST_TEST(choose_gpu(local, 8, 8) == local);
    BOOST_TEST(choose_gpu(2, 3, 8) == 2);
    BOOST_TEST(choose_gpu(0, 1, 1) == 0);
    BOOST_TEST(choose_gpu(5, 8, 1) == 0);    // each rank was given one of its own
}

BOOST_AUTO_TEST_CASE(more_ranks_than_gpus_are_refused) {
    for (const int local : {0, 3}) {
        BOOST_CHECK_EXCEPTION(choose_gpu(local, 4, 2), Error, [](const Error& error) {
            const std::string text = error.what();
            return error.code() == ExitCode::missing_input && text.find("rank 0 on " + host_name()) == 0 &&
                   text.find("4 ranks on this host see 2 GPUs") != std::string::npos &&
                   text.find("ppr:2:node") != std::string::npos;
        });
    }
}

BOOST_AUTO_TEST_SUITE_END()

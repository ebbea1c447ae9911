// Memory that a process takes shows in what it says it takes.
#include "blip/base/process.h"

#include <boost/test/unit_test.hpp>
#include <vector>

using namespace blip;

BOOST_AUTO_TEST_SUITE(process)

BOOST_AUTO_TEST_CASE(memory_of_this_process) {
    const auto before = resident_bytes();
    const std::vector<char> block(64 << 20, 1);
    BOOST_TEST(resident_bytes() >= before + (60U << 20));
    BOOST_TEST(peak_resident_bytes() >= resident_bytes() / 2);
    BOOST_TEST(block.back() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

// The environment that --deterministic sets for CUDA's libraries and NCCL.
#include "src/app/standalone.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>

namespace blip {
namespace {

constexpr const char* names[] = {"CUBLAS_WORKSPACE_CONFIG", "NCCL_ALGO", "NCCL_PROTO"};
struct CleanEnvironment {
    CleanEnvironment() {
        for (const char* name : names) ::unsetenv(name);
    }
    ~CleanEnvironment() {
        for (const char* name : names) ::unsetenv(name);
    }
};

BOOST_AUTO_TEST_SUITE(device_choice)

BOOST_FIXTURE_TEST_CASE(nccl_has_one_order_of_addition, CleanEnvironment) {
    for (int again = 0; again < 2; ++again) {    // the program with CUDA finds what the one before it has set
        BOOST_TEST(set_deterministic_environment().empty());
        BOOST_TEST(std::string(std::getenv("NCCL_ALGO")) == "Ring");
        BOOST_TEST(std::string(std::getenv("NCCL_PROTO")) == "Simple");
        BOOST_TEST(std::string(std::getenv("CUBLAS_WORKSPACE_CONFIG")) == ":4096:8");
    }
}

BOOST_FIXTURE_TEST_CASE(what_is_set_stays_and_is_told, CleanEnvironment) {
    ::setenv("NCCL_ALGO", "Tree", 1);
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8", 1);
    const std::vector<std::string> warnings = set_deterministic_environment();
    BOOST_REQUIRE(warnings.size() == 1U);
    BOOST_TEST(warnings[0].find("NCCL_ALGO is 'Tree'") != std::string::npos, warnings[0]);
    BOOST_TEST(warnings[0].find("NCCL_ALGO=Ring") != std::string::npos, warnings[0]);
    BOOST_TEST(std::string(std::getenv("NCCL_ALGO")) == "Tree");
    BOOST_TEST(std::string(std::getenv("NCCL_PROTO")) == "Simple");
    BOOST_TEST(std::string(std::getenv("CUBLAS_WORKSPACE_CONFIG")) == ":16:8");
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip

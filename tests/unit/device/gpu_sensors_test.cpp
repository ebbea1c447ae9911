// What is told of a GPU's health, and what is warned of. The sensors themselves: tests/end_to_end/gpu_health.sh.
#include "blip/device/gpu_sensors.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

namespace blip::test {
namespace {

using nlohmann::json;

json gpu(int rank, const json& slowed_by, std::uint64_t errors, const char* address = "0000:3b:00.0") {
    return {{"rank", rank}, {"host", "a"}, {"gpu", address}, {"slowed_by", slowed_by}, {"ecc_uncorrected", errors}};
}
std::size_t warned(const json& now, const json& before) { return gpu_warnings(now, before).size(); }

BOOST_AUTO_TEST_SUITE(gpu_sensors)

BOOST_AUTO_TEST_CASE(reasons_have_names_and_unknown_ones_numbers) {
    using Names = std::vector<std::string>;
    BOOST_TEST((names_of_reasons(0) == Names{}));
    BOOST_TEST(
        (names_of_reasons(0x1ff) == Names{"gpu_idle", "applications_clocks_setting", "sw_power_cap", "hw_slowdown",
                                          "sync_boost", "sw_thermal_slowdown", "hw_thermal_slowdown",
                                          "hw_power_brake_slowdown", "display_clock_setting"}));
    BOOST_TEST((names_of_reasons(1ULL << 63 | 0x201) == Names{"gpu_idle", "0x200", "0x8000000000000000"}));
}

BOOST_AUTO_TEST_CASE(what_the_driver_does_not_tell_is_absent) {
    BOOST_TEST(to_json({}) == json::object());
    GpuReading reading;
    reading.temperature_c = -3;
    reading.slowed_by = 0;
    BOOST_TEST((to_json(reading) == json{{"temperature_c", -3}, {"slowed_by", json::array()}}));
}

BOOST_AUTO_TEST_CASE(a_warning_when_it_begins_and_again_after_it_ended) {
    const json hot = json::array({gpu(0, {"hw_thermal_slowdown"}, 0)}), cool = json::array({gpu(0, {"gpu_idle"}, 0)});
    BOOST_TEST(warned(hot, json::array()) == 1U);
    BOOST_TEST(warned(hot, cool) == 1U);
    BOOST_TEST(warned(hot, hot) == 0U);
    BOOST_TEST(warned(cool, hot) == 0U);
    for (const char* limit : {"gpu_idle", "applications_clocks_setting", "sw_power_cap", "sync_boost", "0x200"})
        BOOST_TEST(warned(json::array({gpu(0, {limit}, 0)}), json::array()) == 0U);
    // another rank, and the same rank's other GPU, are not known yet
    BOOST_TEST(warned(json::array({gpu(1, {"hw_slowdown"}, 0)}), hot) == 1U);
    BOOST_TEST(warned(json::array({gpu(0, {"sw_thermal_slowdown"}, 0, "0000:3c:00.0")}), hot) == 1U);
}

BOOST_AUTO_TEST_CASE(errors_of_the_driver) {
    GpuReading reading;
    reading.xids = {79, 12345};
    BOOST_TEST((to_json(reading) == json{{"xids", {79, 12345}}}));
    json own = gpu(3, json::array(), 0);
    BOOST_TEST(xid_warnings(own).empty());    // not told
    own["xids"] = json::array();
    BOOST_TEST(xid_warnings(own).empty());
    own["xids"] = {31, 12345};
    const auto warnings = xid_warnings(own);
    BOOST_REQUIRE(warnings.size() == 2U);
    BOOST_TEST(warnings[0].find("GPU 0000:3b:00.0 of rank 3 on a: its driver reports Xid 31 (an access to memory") ==
               0U);
    BOOST_TEST(warnings[1].find("reports Xid 12345; ") != std::string::npos);
    for (const int number : {13, 31, 43, 45, 48, 61, 62, 63, 64, 74, 79, 94, 95}) {
        own["xids"] = {number};
        BOOST_TEST(xid_warnings(own).at(0).find(" (") != std::string::npos, number);
    }
}

BOOST_AUTO_TEST_CASE(errors_that_became_more) {
    const auto with = [](std::uint64_t errors) { return json::array({gpu(0, json::array(), errors)}); };
    BOOST_TEST(warned(with(5), json::array()) == 0U);    // of before the run
    BOOST_TEST(warned(with(5), with(5)) == 0U);
    BOOST_TEST(warned(with(0), with(5)) == 0U);    // the driver was loaded anew
    const auto warnings = gpu_warnings(with(7), with(5));
    BOOST_REQUIRE(warnings.size() == 1U);
    BOOST_TEST(warnings.front().find("GPU 0000:3b:00.0 of rank 0 on a had 2 memory errors") == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

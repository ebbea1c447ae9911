// What of a run's log counts after kills, resumes and restarts.
#include "blip/report/run_folder.h"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "blip/base/error.h"
#include "tests/support/paths.h"

namespace blip::test {

namespace {

std::string step(int number, double loss) {
    return nlohmann::json{{"kind", "step"}, {"step", number}, {"loss", loss}}.dump() + "\n";
}

RunRecords read(const std::string& text) {
    const TempDir dir;
    write_bytes(dir / "log.jsonl", text);
    return read_run(dir.path());
}

std::vector<double> losses(const RunRecords& records) {
    std::vector<double> all;
    for (const nlohmann::json& record : records.steps) all.push_back(record.at("loss"));
    return all;
}

const std::string run = R"({"kind":"run","step":0})"
                        "\n";

}    // namespace

BOOST_AUTO_TEST_SUITE(run_folder)

BOOST_AUTO_TEST_CASE(steps_that_were_done_again_count_once) {
    // killed after step 4, resumed from the checkpoint after step 2; killed again within a record
    const RunRecords records = read(run + step(1, 9) + step(2, 8) + step(3, 7) + step(4, 6) +
                                    R"({"kind":"resume","step":2})"
                                    "\n" +
                                    step(3, 5) + R"({"kind":"step","st)");
    BOOST_TEST(losses(records) == (std::vector<double>{9, 8, 5}), boost::test_tools::per_element());
    BOOST_TEST(records.events.size() == 2U);
    BOOST_TEST(records.unreadable == 0U);
    // without a record of the resumption, too
    BOOST_TEST(losses(read(step(1, 9) + step(2, 8) + step(3, 7) + step(2, 4))) == (std::vector<double>{9, 4}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_fresh_run_is_another_but_keeps_what_was_noted_of_its_program) {
    const RunRecords records = read(run + step(1, 9) +
                                    R"({"kind":"stop","finished":true})"
                                    "\n" +
                                    R"({"kind":"build","version":"x"})"
                                    "\n" +
                                    run + step(1, 3));
    BOOST_TEST(losses(records) == (std::vector<double>{3}), boost::test_tools::per_element());
    BOOST_REQUIRE(records.events.size() == 2U);
    BOOST_TEST(records.events[0].at("kind") == "build");
}

BOOST_AUTO_TEST_CASE(what_is_no_record_is_counted_and_left_out) {
    const RunRecords records =
        read(run + "not JSON\n[1]\n{\"kind\":7}\n{\"kind\":\"step\",\"step\":\"1\"}\n" + step(1, 2));
    BOOST_TEST(records.unreadable == 4U);
    BOOST_TEST(losses(records) == (std::vector<double>{2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_folder_without_a_log_is_named) {
    const TempDir dir;
    BOOST_CHECK_EXCEPTION(read_run(dir.path()), Error, [&](const Error& error) {
        return error.code() == ExitCode::missing_input &&
               std::string(error.what()).find(dir.path().string()) != std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

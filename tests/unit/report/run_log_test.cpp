// The run log: one JSON object a line, numbers as numbers, half lines of a killed run dropped.
#include "blip/report/run_log.h"

#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "blip/base/error.h"
#include "tests/support/paths.h"
#include "tests/unit/report/records.h"

using namespace blip;
using nlohmann::json;
using test::records;

BOOST_AUTO_TEST_SUITE(run_log)

BOOST_AUTO_TEST_CASE(steps_and_events) {
    const test::TempDir directory;
    const auto file = directory / "deep/log.jsonl";
    RunLog log(file);
    log.event("run", {{"ranks", 2}, {"data", "coco \"mini\".h5"}});
    StepRecord record;
    record.step = 123456789012;
    record.loss = 0.1;
    record.lr = 1e-5;
    record.tokens = 17;
    record.gradient_norm = std::numeric_limits<double>::infinity();
    log.step(record);
    record.loss = std::numeric_limits<double>::quiet_NaN();
    log.step(record);

    const auto all = records(file);    // read while the log is open: each line was flushed
    BOOST_REQUIRE(all.size() == 3U);
    BOOST_TEST(all[0]["kind"] == "run");
    BOOST_TEST(all[0]["ranks"] == 2);
    BOOST_TEST(all[0]["data"] == "coco \"mini\".h5");
    BOOST_TEST(all[0]["time"].get<std::string>().size() == 20U);
    BOOST_TEST(all[1]["kind"] == "step");
    BOOST_TEST(all[1]["step"] == 123456789012);
    BOOST_TEST(all[1]["loss"].get<double>() == 0.1);    // exactly
    BOOST_TEST(all[1]["lr"].get<double>() == 1e-5);
    BOOST_TEST(all[1]["gradient_norm"].is_null());
    BOOST_TEST(all[1]["tokens"].is_number_integer());
    for (const char* name : {"data_ms", "forward_ms", "backward_ms", "reduce_ms", "update_ms", "step_ms"})
        BOOST_TEST(all[1][name].is_number());
    BOOST_TEST(all[2]["loss"].is_null());
}

BOOST_AUTO_TEST_CASE(reopened_log_is_appended_to_without_the_half_line) {
    const test::TempDir directory;
    const auto file = directory / "log.jsonl";
    RunLog(file).event("run", json::object());
    const std::string whole = test::read_bytes(file);
    test::write_bytes(file, whole + R"({"kind":"step","lo)");
    RunLog(file).event("resume", {{"step", 7}});
    const auto all = records(file);
    BOOST_REQUIRE(all.size() == 2U);
    BOOST_TEST(all[1]["kind"] == "resume");
    // what is no record of ours stays, in a line of its own
    test::write_bytes(file, "no line end at all");
    RunLog(file).event("run", json::object());
    const std::string text = test::read_bytes(file);
    BOOST_TEST(text.starts_with("no line end at all\n{"));
    BOOST_TEST(text.ends_with("}\n"));
    for (const std::string& garbage :
         {std::string(5'000'000, 'x'), std::string(1000, '\0'), std::string("\n\n"), std::string()}) {
        test::write_bytes(file, garbage);
        RunLog(file).event("run", json::object());
        BOOST_TEST(test::read_bytes(file).starts_with(garbage));
    }
    // a whole record whose line end was lost
    test::write_bytes(file, whole.substr(0, whole.size() - 1));
    RunLog(file).event("resume", json::object());
    BOOST_TEST(records(file).size() == 2U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_is_an_error) {
    const test::TempDir directory;
    test::write_bytes(directory / "file", "x");
    try {
        RunLog log(directory / "file/log.jsonl");
        BOOST_ERROR("a log below a file");
    } catch (const Error& error) {
        BOOST_TEST(static_cast<int>(error.code()) == 74);
        BOOST_TEST(std::string(error.what()).find("file/log.jsonl") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(records_wait_for_room_on_a_full_disk) {
    const test::TempDir directory;
    const auto file = directory / "log.jsonl";
    RunLog log(file);
    log.event("run", json::object());
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{}, small{};
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = std::filesystem::file_size(file) + 10;    // a part of the next record fits
    setrlimit(RLIMIT_FSIZE, &small);
    log.event("step", {{"step", 1}});
    log.event("step", {{"step", 2}});
    const auto full_size = std::filesystem::file_size(file);
    setrlimit(RLIMIT_FSIZE, &before);
    BOOST_TEST(full_size == small.rlim_cur);
    log.event("step", {{"step", 3}});
    const auto all = records(file);
    BOOST_REQUIRE(all.size() == 4U);
    for (int step : {1, 2, 3}) BOOST_TEST(all[static_cast<std::size_t>(step)]["step"] == step);

    RunLog full("/dev/full");    // every write to it fails with ENOSPC: no end of the run
    full.event("run", json::object());
}

// Whatever became of it, the next start appends whole records, and loses none of the lines that still are.
BOOST_AUTO_TEST_CASE(a_damaged_log_is_gone_on_with) {
    const test::TempDir directory;
    const auto file = directory / "log.jsonl";
    {
        RunLog log(file);
        for (int step = 1; step <= 8; ++step) {
            StepRecord record;
            record.step = step;
            log.step(record);
        }
    }
    const std::string whole = test::read_bytes(file);
    const auto lines_of = [](const std::string& text) {
        std::vector<std::string> lines;
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line);) lines.push_back(line);
        return lines;
    };
    std::mt19937 random(5);
    for (std::size_t k = 0; k < 70; ++k) {
        std::string damaged = whole.substr(0, k < 20 ? whole.size() * k / 20 : whole.size());
        if (k >= 20) {
            char& byte = damaged[random() % damaged.size()];
            byte = static_cast<char>(byte ^ (1 << random() % 8));
        }
        test::write_bytes(file, damaged);
        RunLog(file).event("resume", {{"step", 8}});
        const auto before = lines_of(damaged), after = lines_of(test::read_bytes(file));
        BOOST_TEST_CONTEXT("damage " << k) {
            BOOST_REQUIRE(after.size() >= std::max<std::size_t>(before.size(), 1));
            BOOST_TEST(json::parse(after.back()).at("kind") == "resume");
            for (std::size_t line = 0; line + 1 < before.size(); ++line) BOOST_TEST(after[line] == before[line]);
            if (!before.empty() && json::accept(before.back())) BOOST_TEST(after[before.size() - 1] == before.back());
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

// What a rank writes of its phases, and the timeline of several ranks and starts: clocks, torn lines, foreign lines.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "blip/base/error.h"
#include "blip/report/chrome_trace.h"
#include "blip/report/rank_trace.h"
#include "tests/support/paths.h"
#include "tests/unit/report/records.h"

using namespace blip;
using nlohmann::json;
using test::records;

namespace {

void write(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
}

std::string start(std::int64_t start_ns, std::int64_t met_ns, int rank, int pid = 7) {
    return json{{"kind", "start"}, {"start_ns", start_ns}, {"met_ns", met_ns}, {"rank", rank},
                {"ranks", 2},      {"host", "h\"1"},       {"pid", pid}}
               .dump() +
           "\n";
}

std::string span(const char* name, std::int64_t begin_ns, std::int64_t ns, const char* kind = "phase") {
    return json{{"kind", kind}, {"name", name}, {"begin_ns", begin_ns}, {"ns", ns}, {"epoch", 0}, {"step", 1}}.dump() +
           "\n";
}

}    // namespace

BOOST_AUTO_TEST_SUITE(trace)

BOOST_AUTO_TEST_CASE(phases_and_the_waits_within_them) {
    const test::TempDir directory;
    const auto file = directory / "trace/rank_3.jsonl";
    const auto now = [] {
        return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    };
    const std::int64_t before = now();
    {
        enter_phase(Phase::loading);
        const RankTrace traced(file, {11, 12, 3, 4});
        enter_step(2, 40);
        enter_phase(Phase::forward);
        {
            const PhaseWait waits("bucket \"1\"");
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        enter_phase(Phase::updating);
        { const PhaseScope saving(Phase::saving); }
    }
    enter_phase(Phase::backward);    // nobody observes any more
    const std::int64_t after = now();
    const auto all = records(file);
    BOOST_REQUIRE(all.size() == 7U);
    BOOST_TEST(all[0]["kind"] == "start");
    BOOST_TEST((all[0]["start_ns"] == 11 && all[0]["met_ns"] == 12 && all[0]["rank"] == 3 && all[0]["ranks"] == 4));
    const std::vector<std::string> names = {"loading weights", "bucket \"1\"",        "forward",
                                            "updating",        "saving a checkpoint", "updating"};
    for (std::size_t i = 1; i < all.size(); ++i) {
        BOOST_TEST(all[i]["name"] == names[i - 1]);
        BOOST_TEST(all[i]["kind"] == (i == 2 ? "wait" : "phase"));
        BOOST_TEST(all[i]["begin_ns"].get<std::int64_t>() >= before - 1'000'000);    // two clocks were asked
        BOOST_TEST(all[i]["begin_ns"].get<std::int64_t>() + all[i]["ns"].get<std::int64_t>() <= after + 1'000'000);
    }
    BOOST_TEST((all[2]["epoch"] == 2 && all[2]["step"] == 41));
    BOOST_TEST(all[2]["ns"].get<std::int64_t>() >= 20'000'000);
    BOOST_TEST(all[3]["ns"].get<std::int64_t>() >= all[2]["ns"].get<std::int64_t>());
    for (const std::size_t i : {3, 4, 5})    // a phase begins where the one before ends
        BOOST_TEST((all[i]["begin_ns"].get<std::int64_t>() + all[i]["ns"].get<std::int64_t>() ==
                    all[i + 1]["begin_ns"].get<std::int64_t>()));
}

BOOST_AUTO_TEST_CASE(a_place_that_cannot_be_written_is_told_and_nothing_is_recorded) {
    const test::TempDir directory;
    write(directory / "trace", "a file");
    const RankTrace traced(directory / "trace/rank_0.jsonl", {});
    enter_phase(Phase::forward);
    const PhaseWait waits("x");
    BOOST_TEST(test::read_bytes(directory / "trace") == "a file");
}

BOOST_AUTO_TEST_CASE(one_timeline_of_ranks_and_starts) {
    const test::TempDir directory;
    const std::int64_t day = 1'764'000'000'000'000'000;
    // rank 1's clock is 2.5 ms ahead; killed within a line, resumed by other processes, and one line is no record
    write(directory / "trace/rank_0.jsonl", start(day, day + 1000, 0) + span("forward", day + 5'000'000, 1'234'567) +
                                                start(day + 60'000'000'000, day + 60'000'000'000, 0, 8) +
                                                span("backward", day + 61'000'000'000, 0));
    write(directory / "trace/rank_1.jsonl",
          start(day, day + 2'501'000, 1) + span("bucket", day + 6'000'000, 1'000'000, "wait") +
              span("forward", day + 5'500'000, 2'000'000) + "nonsense\n" + span("negative", day, -1) +
              start(day + 60'000'000'000, day + 60'000'400'000, 1, 9) + R"({"kind":"phase","name":"forw)");
    write(directory / "trace/notes.txt", "not a trace");
    const TraceSummary made = write_chrome_trace(directory.path(), directory / "trace.json");
    BOOST_TEST((made.spans == 4 && made.ranks == 2 && made.starts == 2 && made.unreadable == 2));
    BOOST_TEST(made.clocks_ms == 2.5, boost::test_tools::tolerance(1e-9));
    const json all = json::parse(test::read_bytes(directory / "trace.json"));
    std::map<std::string, json> spans;
    std::vector<std::string> names;
    for (const json& event : all["traceEvents"])
        if (event["ph"] == "X")
            spans[fmt::format("{} {} {}", event["name"].get<std::string>(), event["pid"].get<int>(),
                              event["tid"].get<int>())] = event;
        else
            names.push_back(event["args"]["name"]);
    BOOST_TEST(spans.size() == 4U);
    BOOST_TEST(spans["forward 0 0"]["ts"] == 0);
    BOOST_TEST(spans["forward 0 0"]["dur"].get<double>() == 1234.567);
    BOOST_TEST(spans["forward 1 0"]["ts"] == 500);
    BOOST_TEST(spans["bucket 1 0"]["ts"] == 1000);
    BOOST_TEST(spans["bucket 1 0"]["cat"] == "wait");
    BOOST_TEST(spans["backward 0 1"]["ts"] == 60'995'000);
    BOOST_TEST((names == std::vector<std::string>{"rank 0", "start 1: h\"1, process 7", "start 2: h\"1, process 8",
                                                  "rank 1", "start 1: h\"1, process 7", "start 2: h\"1, process 9"}));
}

BOOST_AUTO_TEST_CASE(a_run_without_a_trace_is_named) {
    const test::TempDir directory;
    try {
        write_chrome_trace(directory.path(), directory / "trace.json");
        BOOST_ERROR("made");
    } catch (const Error& error) {
        BOOST_TEST((error.code() == ExitCode::missing_input));
        BOOST_TEST(std::string(error.what()).find(directory.path().string()) != std::string::npos);
    }
    BOOST_TEST(!std::filesystem::exists(directory / "trace.json"));
}

BOOST_AUTO_TEST_SUITE_END()

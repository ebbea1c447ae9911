// Which rank is slow, by how much and in what: by hand, and from the records of ranks in threads.
#include "src/train/rank_times.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "blip/base/durable_file.h"
#include "tests/support/paths.h"
#include "tests/unit/comm/thread_world.h"

namespace blip::test {
namespace {

BOOST_AUTO_TEST_SUITE(rank_times)

BOOST_AUTO_TEST_CASE(the_slowest_is_compared_with_the_median_of_the_others) {
    // 10, 12, 20, 11 ms in all
    const std::vector<RankTime> times = {{"a", 1, 4, 5}, {"a", 1, 5, 6}, {"b", 8, 5, 7}, {"b", 1, 4, 6}};
    const RankSpread spread = compare_ranks(times, 2, 30);
    BOOST_TEST(spread.fastest == 0);
    BOOST_TEST(spread.slowest == 2);
    BOOST_TEST(spread.median_ms == 11.5);
    BOOST_TEST(spread.others_median_ms == 11.0);
    BOOST_TEST(std::string(spread.phase) == "reading batches");
    BOOST_TEST(spread.much_slower);
}

BOOST_AUTO_TEST_CASE(of_two_ranks_the_other_is_the_measure) {
    BOOST_TEST(compare_ranks({{"a", 0, 10, 20}, {"a", 0, 10, 10}}, 1, 40).much_slower);
    BOOST_TEST(std::string(compare_ranks({{"a", 0, 10, 20}, {"a", 0, 10, 10}}, 1, 40).phase) == "backward");
    BOOST_TEST(std::string(compare_ranks({{"a", 0, 10, 10}, {"a", 0, 30, 12}}, 1, 50).phase) == "forward");
    BOOST_TEST(!compare_ranks({{"a", 0, 10, 10}, {"a", 0, 10, 15.9}}, 1, 40).much_slower);
}

BOOST_AUTO_TEST_CASE(what_hardly_lengthens_a_step_is_not_told) {
    const std::vector<RankTime> times = {{"a", 0, 1, 1}, {"a", 0, 2, 2}};
    BOOST_TEST(!compare_ranks(times, 1, 1000).much_slower);    // 2 ms of 1000
    BOOST_TEST(compare_ranks(times, 50, 1000).much_slower);    // 100 ms of 1000
}

BOOST_AUTO_TEST_CASE(ranks_tell_each_other_once_an_epoch) {
    const TempDir scratch;
    const Path file = scratch / "ranks.jsonl";
    run_ranks(3, [&](Communicator& comm) {
        RankTimes times(comm);
        std::unique_ptr<RunLog> log;
        if (comm.rank() == 0) log = std::make_unique<RunLog>(file);
        StepRecord record;
        record.data_ms = 1e6;    // the first step does not count
        times.add(record, 2);
        record.data_ms = 2;
        record.forward_ms = comm.rank() == 1 ? 60 : 6;
        record.backward_ms = 12;
        record.step_ms = 100;
        times.add(record, 2);
        times.add(record, 2);
        times.tell(4, log.get());
        times.tell(5, log.get());    // no step since
    });
    std::ifstream stream(file);
    std::string line, second;
    std::getline(stream, line);
    BOOST_TEST(!std::getline(stream, second));
    const auto said = nlohmann::json::parse(line);
    BOOST_TEST(said.at("kind") == "ranks");
    BOOST_TEST(said.at("epoch") == 4);
    BOOST_TEST(said.at("steps") == 2);
    BOOST_TEST(said.at("min_ms") == 10.0);
    BOOST_TEST(said.at("median_ms") == 10.0);
    BOOST_TEST(said.at("max_ms") == 37.0);
    BOOST_TEST(said.at("slowest_rank") == 1);
    BOOST_TEST(said.at("slowest_phase") == "forward");
    BOOST_TEST(said.at("much_slower") == true);
    BOOST_TEST(said.at("ranks").size() == 3U);
    BOOST_TEST(said.at("ranks")[2].at("forward_ms") == 3.0);
}

BOOST_AUTO_TEST_CASE(ranks_without_work_are_not_compared) {
    const TempDir scratch;
    const auto tell = [&](int working, const Path& file) {
        run_ranks(4, [&](Communicator& comm) {
            RankTimes times(comm);
            std::unique_ptr<RunLog> log;
            if (comm.rank() == 0) log = std::make_unique<RunLog>(file);
            StepRecord record;
            record.step_ms = 100;
            const bool works = comm.rank() < working;
            if (works) record.forward_ms = 50;
            for (int step = 0; step < 3; ++step) times.add(record, works ? 1 : 0);
            times.tell(0, log.get());
        });
    };
    tell(2, scratch / "two.jsonl");
    const auto said = nlohmann::json::parse(read_file(scratch / "two.jsonl"));
    BOOST_TEST(said.at("min_ms") == 50.0);
    BOOST_TEST(said.at("median_ms") == 50.0);
    BOOST_TEST(said.at("much_slower") == false);
    BOOST_TEST(said.at("ranks").size() == 4U);
    tell(1, scratch / "one.jsonl");
    BOOST_TEST(read_file(scratch / "one.jsonl").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

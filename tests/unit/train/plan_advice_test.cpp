// When a run is told that it has too few steps, and whether what it is told to take instead would do.
#include "blip/train/plan_advice.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <regex>

#include "blip/optim/lr_schedule.h"

namespace blip::test {

BOOST_AUTO_TEST_SUITE(plan_advice)

BOOST_AUTO_TEST_CASE(the_reach_is_the_sum_of_all_rates) {
    TrainOptions train;
    OptimOptions optim;
    train.epochs = 3;
    for (const int warmup : {0, 1, 7, 10, 23, 100}) {
        optim.warmup_steps = warmup;
        double sum = 0;
        for (int epoch = 0; epoch < 3; ++epoch)
            for (std::int64_t step = 10 * epoch; step < 10 * epoch + 10; ++step) sum += step_lr(optim, epoch, 3, step);
        BOOST_TEST(std::abs(learning_reach(train, optim, 10) - sum) < 1e-12 * sum, "warmup " << warmup);
    }
}

BOOST_AUTO_TEST_CASE(few_steps_are_answered_with_values_that_do) {
    TrainOptions train;
    OptimOptions optim;
    // desk.md: 236 captions, 32 a step, three epochs
    train.global_batch = 32;
    train.micro_batch = 16;
    train.epochs = 3;
    const std::string said = too_few_steps(train, optim, 236);
    BOOST_TEST(said.starts_with("21 steps in all at 1e-05: too few to learn"), said);
    for (const std::int64_t captions : {4, 40, 236, 999, 2000, 5000}) {
        for (const int batch : {4, 24, 256}) {
            if (captions < batch) continue;
            train.global_batch = batch;
            train.micro_batch = batch / 2;
            const std::string line = too_few_steps(train, optim, captions);
            if (line.empty()) continue;
            std::smatch found;
            const std::regex values(
                "--global-batch ([0-9]+) --micro-batch ([0-9]+) --epochs ([0-9]+) --init-lr ([0-9.e-]+), which are "
                "([0-9]+) steps");
            BOOST_REQUIRE_MESSAGE(std::regex_search(line, found, values), line);
            TrainOptions better = train;
            OptimOptions faster = optim;
            better.global_batch = std::stoi(found[1]);
            better.micro_batch = std::stoi(found[2]);
            better.epochs = std::stoi(found[3]);
            faster.init_lr = std::strtod(found[4].str().c_str(), nullptr);
            BOOST_TEST(better.global_batch <= captions);
            BOOST_TEST(better.global_batch % better.micro_batch == 0);
            BOOST_TEST(faster.init_lr <= 1e-4);
            BOOST_TEST(std::stoi(found[5]) == better.epochs * (captions / better.global_batch));
            BOOST_TEST(learning_reach(better, faster, captions / better.global_batch) > 4.9e-3, line);
            BOOST_TEST(too_few_steps(better, faster, captions).empty());
        }
    }
}

BOOST_AUTO_TEST_CASE(enough_steps_and_few_that_were_asked_for_are_no_matter) {
    TrainOptions train;
    const OptimOptions optim;
    BOOST_TEST(too_few_steps(train, optim, 566747).empty());    // the recipe of COCO
    train.epochs = 1;
    BOOST_TEST(!too_few_steps(train, optim, 256).empty());
    train.max_steps = 3;
    BOOST_TEST(too_few_steps(train, optim, 256).empty());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

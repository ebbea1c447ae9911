// Every world sees the same order, every sample at most once, runs that differ by at most one micro-batch.
#include "blip/data/shard_sampler.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <set>

#include "blip/base/error.h"

using namespace blip;

BOOST_AUTO_TEST_SUITE(shard_sampler)

BOOST_AUTO_TEST_CASE(every_unit_once_per_epoch) {
    const ShardSampler sampler(1003, 10, 5, 7, 0, 1);
    BOOST_TEST(sampler.steps_per_epoch() == 100);
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
        std::set<std::int64_t> seen;
        for (std::int64_t step = 0; step < sampler.steps_per_epoch(); ++step)
            for (const auto sample : sampler.global_units(epoch, step)) {
                BOOST_TEST((sample >= 0 && sample < 1003));
                BOOST_TEST(seen.insert(sample).second);
            }
        BOOST_TEST(seen.size() == 1000U);    // the last partial batch of 3 is dropped
    }
}

BOOST_AUTO_TEST_CASE(any_world_joins_to_the_same_order) {
    for (const auto& [global, micro] : {std::pair{12, 1}, {12, 2}, {12, 3}, {12, 4}, {12, 12}, {30, 5}, {7, 1}}) {
        const ShardSampler alone(500, global, micro, 99, 0, 1);
        for (int size = 1; size <= 13; ++size) {
            for (const std::int64_t step : {std::int64_t{0}, std::int64_t{1}, alone.steps_per_epoch() - 1}) {
                std::vector<std::int64_t> joined;
                int next_index = 0, longest = 0, shortest = global;
                for (int rank = 0; rank < size; ++rank) {
                    const ShardSampler sampler(500, global, micro, 99, rank, size);
                    const auto mine = sampler.micro_batches(2, step);
                    BOOST_TEST(static_cast<int>(mine.size()) == sampler.micro_batch_count());
                    BOOST_TEST(sampler.first_micro_batch() == next_index);
                    longest = std::max(longest, sampler.micro_batch_count());
                    shortest = std::min(shortest, sampler.micro_batch_count());
                    for (const auto& batch : mine) {
                        BOOST_TEST(batch.first == next_index++ * micro);
                        BOOST_TEST(batch.units.size() == static_cast<std::size_t>(micro));
                        joined.insert(joined.end(), batch.units.begin(), batch.units.end());
                    }
                }
                BOOST_TEST(next_index == alone.micro_batches_per_step());
                BOOST_TEST(longest - shortest <= 1);
                BOOST_TEST(joined == alone.global_units(2, step), boost::test_tools::per_element());
            }
        }
    }
}

// The order is that of as many units by themselves; places in the batch count captions.
BOOST_AUTO_TEST_CASE(units_of_several_captions) {
    const ShardSampler one_each(100, 6, 2, 7, 1, 2), pictures(100, 30, 10, 7, 1, 2, 5);
    BOOST_TEST(pictures.steps_per_epoch() == 16);
    BOOST_TEST(pictures.micro_batches_per_step() == 3);
    BOOST_TEST(pictures.global_units(1, 3) == one_each.global_units(1, 3), boost::test_tools::per_element());
    const std::vector<MicroBatch> mine = pictures.micro_batches(1, 3);
    BOOST_REQUIRE(mine.size() == 1U);
    BOOST_TEST(mine[0].first == 20);
    BOOST_TEST(mine[0].units == one_each.micro_batches(1, 3)[0].units, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(order_depends_on_seed_and_epoch_only) {
    const ShardSampler a(1000, 1000, 10, 5, 0, 1), b(1000, 1000, 10, 6, 0, 1);
    const auto first = a.global_units(0, 0), other_epoch = a.global_units(1, 0), again = a.global_units(0, 0);
    BOOST_TEST(first == again, boost::test_tools::per_element());
    // two random permutations agree in about one place
    const auto agreements = [&](const std::vector<std::int64_t>& other) {
        return std::inner_product(first.begin(), first.end(), other.begin(), 0, std::plus<>(), std::equal_to<>());
    };
    BOOST_TEST(agreements(other_epoch) < 10);
    BOOST_TEST(agreements(b.global_units(0, 0)) < 10);
}

// Each of 5 samples comes to each of 5 places equally often: chi-squared with 16 degrees of freedom, bound at p = 1e-5.
BOOST_AUTO_TEST_CASE(permutations_are_uniform) {
    const ShardSampler sampler(5, 5, 1, 1, 0, 1);
    constexpr int epochs = 5000;
    std::vector<int> count(25);
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
        const auto order = sampler.global_units(epoch, 0);
        for (std::size_t place = 0; place < 5; ++place) ++count[place * 5 + static_cast<std::size_t>(order[place])];
    }
    double chi_squared = 0;
    for (const int n : count) chi_squared += (n - epochs / 5.0) * (n - epochs / 5.0) / (epochs / 5.0);
    BOOST_TEST(chi_squared < 52.0);
}

BOOST_AUTO_TEST_CASE(efficiency_is_mean_over_longest) {
    BOOST_TEST(ShardSampler(256, 256, 32, 0, 0, 8).efficiency() == 1.0);
    BOOST_TEST(ShardSampler(256, 256, 32, 0, 0, 7).efficiency() == 8.0 / 14.0);
    BOOST_TEST(ShardSampler(256, 256, 32, 0, 8, 16).efficiency() == 0.5);
    BOOST_TEST(ShardSampler(256, 256, 32, 0, 8, 16).micro_batch_count() == 0);
}

BOOST_AUTO_TEST_CASE(wrong_settings_name_the_option) {
    const auto usage = [](const char* word) {
        return [word](const Error& error) {
            return error.code() == ExitCode::usage && std::string(error.what()).find(word) != std::string::npos;
        };
    };
    BOOST_CHECK_EXCEPTION(ShardSampler(100, 10, 3, 0, 0, 1), Error, usage("--micro-batch 3"));
    BOOST_CHECK_EXCEPTION(ShardSampler(9, 10, 5, 0, 0, 1), Error, usage("--global-batch 5 would fit"));
    BOOST_CHECK_EXCEPTION(ShardSampler(3, 10, 5, 0, 0, 1), Error, usage("--global-batch 3 --micro-batch 3 would fit"));
    BOOST_CHECK_EXCEPTION(ShardSampler(0, 10, 5, 0, 0, 1), Error, usage("no captions to train on"));
    BOOST_CHECK_EXCEPTION(ShardSampler(9, 10, 6, 0, 0, 1), Error, usage("--micro-batch 6"));
    BOOST_CHECK_EXCEPTION(ShardSampler(9, 12, 6, 0, 0, 1, 4), Error, usage("no multiple of the 4 captions"));
    BOOST_CHECK_EXCEPTION(ShardSampler(5, 24, 8, 0, 0, 1, 4), Error, usage("--global-batch 16 would fit"));
    BOOST_CHECK_THROW(ShardSampler(100, 10, 5, 0, 0, 1).global_units(0, 10), Error);
}

// Rebuilt on each rank at the start of each epoch: it must not be noticed.
BOOST_AUTO_TEST_CASE(coco_sized_permutation_is_quick) {
    const ShardSampler sampler(566747, 256, 32, 42, 0, 8);
    const auto start = std::chrono::steady_clock::now();
    BOOST_TEST(sampler.global_units(0, 0).size() == 256U);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    BOOST_TEST_MESSAGE("permutation of 566,747 samples: " << seconds << " s");
    BOOST_TEST(seconds < 1.0);
}

BOOST_AUTO_TEST_SUITE_END()

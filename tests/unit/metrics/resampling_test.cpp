// Intervals and comparisons against closed forms, all exchanges counted one by one, and a plain bootstrap of another
// generator; how often intervals hold the truth.
#include "blip/metrics/resampling.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "tests/tolerances.h"

namespace blip::test {
namespace {

using Values = std::vector<double>;

SummedStatistics mean_metric(const Values& values) {
    return {{"mean"}, 1, values, [](const double* sums, double images, double* result) { *result = *sums / images; }};
}

// A score that is no mean: right over all, as BLEU-1 without its penalty.
SummedStatistics ratio_metric(const std::vector<std::pair<double, double>>& right_of_all) {
    SummedStatistics metric{{"ratio", "twice"}, 2, {}, [](const double* sums, double, double* result) {
                                result[0] = sums[0] / sums[1];
                                result[1] = 2 * result[0];
                            }};
    for (const auto& [right, all] : right_of_all) {
        metric.values.push_back(right);
        metric.values.push_back(all);
    }
    return metric;
}

Values normal_values(std::size_t count, double mean, std::uint64_t seed) {
    RandomStream random(random_key(seed, RandomPurpose::sample_drawing));
    Values values(count);
    for (double& value : values) value = mean + random.normal();
    return values;
}

std::vector<std::pair<double, double>> counts(std::size_t images, double share, std::uint64_t seed) {
    RandomStream random(random_key(seed, RandomPurpose::sample_drawing));
    std::vector<std::pair<double, double>> result;
    for (std::size_t i = 0; i < images; ++i) {
        const auto all = static_cast<int>(5 + random.below(10));
        int right = 0;
        for (int k = 0; k < all; ++k) right += random.uniform() < share ? 1 : 0;
        result.emplace_back(right, all);
    }
    return result;
}

using Runs = std::vector<std::vector<SummedStatistics>>;
ImageStatistics of(const SummedStatistics& metric) { return ImageStatistics(Runs(1, {metric})); }

double ratio(const std::vector<std::pair<double, double>>& values, const std::vector<std::size_t>& images) {
    double right = 0, all = 0;
    for (const std::size_t i : images) {
        right += values[i].first;
        all += values[i].second;
    }
    return right / all;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(resampling)

BOOST_AUTO_TEST_CASE(an_interval_of_a_mean_is_two_standard_errors_wide) {
    const std::size_t images = 2000;
    const Values values = normal_values(images, 3, 1);
    double mean = 0, square = 0;
    for (const double value : values) mean += value / images;
    for (const double value : values) square += (value - mean) * (value - mean) / images;
    const double error = std::sqrt(square / images);
    const auto found = resample_scores({of(mean_metric(values))}, {.resamples = 20000, .threads = 2});
    BOOST_TEST(found.pairs.empty());
    const Interval interval = found.intervals.at(0).at(0);
    BOOST_TEST(std::abs((mean - interval.low) / error - 1.96) < tolerance::resampled_quantile);
    BOOST_TEST(std::abs((interval.high - mean) / error - 1.96) < tolerance::resampled_quantile);
}

BOOST_AUTO_TEST_CASE(what_is_no_mean_is_computed_of_each_resample_s_sums) {
    const auto first = counts(300, 0.5, 1), second = counts(300, 0.51, 3);
    const auto found =
        resample_scores({of(ratio_metric(first)), of(ratio_metric(second))}, {.resamples = 20000, .exchanges = 20000});
    // the same by a plain loop
    std::mt19937 generator(7);
    std::uniform_int_distribution<std::size_t> any(0, first.size() - 1);
    const int draws = 20000;
    Values scores, differences;
    std::vector<std::size_t> images(first.size());
    for (std::size_t i = 0; i < images.size(); ++i) images[i] = i;
    const double observed = ratio(second, images) - ratio(first, images);
    int as_far = 0, as_large = 0;
    for (int r = 0; r < draws; ++r) {
        for (std::size_t& image : images) image = any(generator);
        scores.push_back(ratio(first, images));
        differences.push_back(ratio(second, images) - scores.back());
        as_far += std::abs(differences.back() - observed) >= std::abs(observed) ? 1 : 0;
        auto a = first, b = second;
        for (std::size_t i = 0; i < a.size(); ++i)
            if ((generator() & 1) != 0) std::swap(a[i], b[i]);
        for (std::size_t i = 0; i < images.size(); ++i) images[i] = i;
        as_large += std::abs(ratio(b, images) - ratio(a, images)) >= std::abs(observed) ? 1 : 0;
    }
    const auto spread = [](Values values) {
        std::sort(values.begin(), values.end());
        return std::pair(values[values.size() / 40], values[values.size() - values.size() / 40]);
    };
    const auto check = [&](const Interval& interval, const Values& values, double factor) {
        const auto [low, high] = spread(values);
        const double error = (high - low) / (2 * 1.96);
        BOOST_TEST(std::abs(interval.low / factor - low) < 1.5 * tolerance::resampled_quantile * error);
        BOOST_TEST(std::abs(interval.high / factor - high) < 1.5 * tolerance::resampled_quantile * error);
    };
    check(found.intervals.at(0).at(0), scores, 1);
    check(found.intervals.at(0).at(1), scores, 2);
    const Comparison compared = found.pairs.at(0).by_score.at(0);
    BOOST_TEST(std::abs(compared.difference - observed) < tolerance::scores);
    check(compared.interval, differences, 1);
    const double p_bootstrap = static_cast<double>(as_far) / draws, p_exchanged = static_cast<double>(as_large) / draws;
    BOOST_TEST(p_bootstrap > 0.001);
    BOOST_TEST(p_bootstrap < 0.5);
    BOOST_TEST(std::abs(compared.p_bootstrap - p_bootstrap) < tolerance::resampled_p);
    BOOST_TEST(std::abs(compared.p_randomisation - p_exchanged) < tolerance::resampled_p);
}

BOOST_AUTO_TEST_CASE(randomisation_comes_to_the_share_of_all_exchanges) {
    const Values first = {0.1, 0.5, 0.2, 0.9, 0.4, 0.3, 0.7, 0.6}, second = {0.3, 0.6, 0.1, 1.0, 0.6, 0.5, 0.8, 0.5};
    int as_large = 0;
    double observed = 0;
    for (std::size_t i = 0; i < 8; ++i) observed += second[i] - first[i];
    for (unsigned exchanged = 0; exchanged < 256; ++exchanged) {
        double difference = 0;
        for (std::size_t i = 0; i < 8; ++i) difference += ((exchanged >> i & 1) != 0 ? -1 : 1) * (second[i] - first[i]);
        as_large += std::abs(difference) >= std::abs(observed) - 1e-9 ? 1 : 0;
    }
    const auto found =
        resample_scores({of(mean_metric(first)), of(mean_metric(second))}, {.resamples = 10, .exchanges = 40000});
    BOOST_TEST(std::abs(found.pairs.at(0).by_score.at(0).p_randomisation - as_large / 256.0) < tolerance::resampled_p);
}

BOOST_AUTO_TEST_CASE(a_95_percent_interval_holds_the_truth_95_times_in_100) {
    int held = 0;
    for (std::uint64_t draw = 0; draw < 1000; ++draw) {
        const auto found = resample_scores({of(mean_metric(normal_values(200, 1, 100 + draw)))},
                                           {.resamples = 500, .seed = draw, .threads = 1});
        const Interval interval = found.intervals[0][0];
        held += interval.low <= 1 && 1 <= interval.high ? 1 : 0;
    }
    BOOST_TEST_MESSAGE(held << " of 1000 intervals hold the mean");
    BOOST_TEST(held >= 940);
    BOOST_TEST(held <= 960);
}

BOOST_AUTO_TEST_CASE(equal_systems_do_not_differ) {
    const auto same = counts(50, 0.5, 1);
    const auto found = resample_scores({of(ratio_metric(same)), of(ratio_metric(same))}, {});
    BOOST_TEST(found.pairs.at(0).by_score.at(0).difference == 0);
    BOOST_TEST(found.pairs.at(0).by_score.at(0).p_bootstrap == 1);
    BOOST_TEST(found.pairs.at(0).by_score.at(0).p_randomisation == 1);
}

BOOST_AUTO_TEST_CASE(threads_do_not_matter_and_seeds_do) {
    const std::vector<ImageStatistics> systems = {of(mean_metric(normal_values(70, 0, 1))),
                                                  of(mean_metric(normal_values(70, 0.3, 2))),
                                                  of(mean_metric(normal_values(70, 0.5, 3)))};
    const auto one = resample_scores(systems, {.resamples = 100, .exchanges = 1000, .threads = 1});
    const auto four = resample_scores(systems, {.resamples = 100, .exchanges = 1000, .threads = 4});
    const auto other = resample_scores(systems, {.resamples = 100, .exchanges = 1000, .seed = 2});
    BOOST_TEST(one.pairs.size() == 3U);
    BOOST_TEST(one.pairs[1].second == 2U);
    BOOST_TEST(one.intervals[1][0].low == four.intervals[1][0].low);
    BOOST_TEST(one.pairs[2].by_score[0].p_randomisation == four.pairs[2].by_score[0].p_randomisation);
    BOOST_TEST(one.intervals[1][0].low != other.intervals[1][0].low);
}

BOOST_AUTO_TEST_CASE(runs_of_a_system_count_as_their_mean) {
    const Values first = normal_values(40, 0, 1), second = normal_values(40, 2, 2);
    Values mean;
    for (std::size_t i = 0; i < first.size(); ++i) mean.push_back((first[i] + second[i]) / 2);
    const ImageStatistics runs(Runs{{mean_metric(first)}, {mean_metric(second)}}), plain = of(mean_metric(mean));
    BOOST_TEST(std::abs(runs.corpus()[0] - plain.corpus()[0]) < tolerance::scores);
    const auto found = resample_scores({runs, plain}, {.resamples = 50, .exchanges = 50});
    BOOST_TEST(std::abs(found.intervals[0][0].low - found.intervals[1][0].low) < tolerance::scores);
    const Runs other = {{mean_metric(first)}, {mean_metric({1, 2})}};
    BOOST_CHECK_THROW(ImageStatistics{other}, Error);
    BOOST_CHECK_THROW(resample_scores({plain, of(mean_metric({1, 2}))}, {}), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

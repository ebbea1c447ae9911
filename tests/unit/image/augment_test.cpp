// Plans are drawn by key alone, within the promised ranges and with the promised shares; applying one is crop, resize,
// flip, operators.
#include "blip/image/augment.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>

#include "blip/base/random.h"
#include "blip/image/resize.h"
#include "tests/unit/image/pictures.h"

namespace blip::test {
namespace {

std::uint64_t key(std::uint64_t sample, std::uint64_t epoch = 0) {
    return random_key(42, RandomPurpose::augmentation, {epoch, sample});
}

bool same(const AugmentPlan& a, const AugmentPlan& b) {
    return a.flip == b.flip && a.crop.top == b.crop.top && a.crop.left == b.crop.left &&
           a.crop.height == b.crop.height && a.crop.width == b.crop.width && a.operators == b.operators;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(augment)

BOOST_AUTO_TEST_CASE(plans_depend_on_the_key_alone) {
    const AugmentOptions options;
    std::vector<AugmentPlan> forward(50);
    for (int i = 0; i < 50; ++i) forward[i] = draw_training_plan(480, 640, options, key(i));
    std::set<std::pair<int, int>> places;
    for (int i = 49; i >= 0; --i) {
        BOOST_TEST(same(forward[i], draw_training_plan(480, 640, options, key(i))));
        places.emplace(forward[i].crop.height, forward[i].crop.width);
    }
    BOOST_TEST(places.size() > 40u);
    BOOST_TEST(
        !same(draw_training_plan(480, 640, options, key(1, 0)), draw_training_plan(480, 640, options, key(1, 1))));
    // the flip and the operators do not depend on the picture's size
    for (int i = 0; i < 50; ++i) {
        const AugmentPlan other = draw_training_plan(100, 30, options, key(i));
        BOOST_TEST(forward[i].flip == other.flip);
        BOOST_TEST((forward[i].operators == other.operators));
    }
}

BOOST_AUTO_TEST_CASE(crops_have_the_promised_distribution) {
    const AugmentOptions options;
    constexpr int count = 20000, height = 480, width = 640;
    double area = 0, log_ratio = 0, flips = 0, tops = 0;
    int free_tops = 0;
    for (int i = 0; i < count; ++i) {
        const AugmentPlan plan = draw_training_plan(height, width, options, key(i));
        const Box& box = plan.crop;
        BOOST_REQUIRE(box.top >= 0 && box.left >= 0 && box.height >= 1 && box.width >= 1);
        BOOST_REQUIRE(box.top + box.height <= height && box.left + box.width <= width);
        const double share = static_cast<double>(box.height) * box.width / (height * width);
        const double ratio = static_cast<double>(box.width) / box.height;
        // rounding to whole pixels moves both a little
        BOOST_REQUIRE(share > 0.497 && share <= 1.0);
        BOOST_REQUIRE(ratio > 0.745 && ratio < 1.34);
        area += share;
        log_ratio += std::log(ratio);
        flips += plan.flip;
        if (box.height < height) {
            tops += static_cast<double>(box.top) / (height - box.height);
            ++free_tops;
        }
    }
    BOOST_TEST(std::abs(flips / count - 0.5) < 5 * std::sqrt(0.25 / count));
    BOOST_TEST(std::abs(tops / free_tops - 0.5) < 5 * std::sqrt(1.0 / 12 / free_tops) + 0.001);
    // crops that do not fit are drawn again, which favours small and wide ones in a wide picture
    BOOST_TEST(area / count > 0.6);
    BOOST_TEST(area / count < 0.75);
    BOOST_TEST(log_ratio / count > 0.0);
}

// Where every crop fits, the share is uniform in the range and the log of the ratio symmetric.
BOOST_AUTO_TEST_CASE(crops_that_always_fit_are_uniform) {
    AugmentOptions options;
    options.max_scale = 0.6;
    constexpr int count = 20000;
    double area = 0, log_ratio = 0;
    for (int i = 0; i < count; ++i) {
        const Box box = draw_training_plan(1000, 1000, options, key(i)).crop;
        area += static_cast<double>(box.height) * box.width / 1e6;
        log_ratio += std::log(static_cast<double>(box.width) / box.height);
    }
    BOOST_TEST(std::abs(area / count - 0.55) < 5 * 0.1 / std::sqrt(12.0 * count) + 1e-4);
    BOOST_TEST(std::abs(log_ratio / count) < 5 * 2 * std::log(4.0 / 3) / std::sqrt(12.0 * count) + 1e-4);
}

// Each operator and sign as often as the other, each draw applied in half of the cases, draws independent.
BOOST_AUTO_TEST_CASE(operators_have_the_promised_distribution) {
    constexpr int count = 40000;
    for (const int draws : {1, 2, 5}) {
        AugmentOptions options;
        options.operators = draws;
        std::vector<int> seen(2 * image_operator_count), of_length(static_cast<std::size_t>(draws) + 1);
        int pairs = 0, equal_pairs = 0, with_flip = 0;
        for (int i = 0; i < count; ++i) {
            const AugmentPlan plan = draw_training_plan(48, 64, options, key(i));
            BOOST_REQUIRE(plan.operators.size() <= static_cast<std::size_t>(draws));
            ++of_length[plan.operators.size()];
            for (const SignedOperator& operation : plan.operators)
                ++seen[2 * static_cast<std::size_t>(operation.kind) + operation.negative];
            if (plan.operators.size() >= 2) {
                ++pairs;
                equal_pairs += plan.operators[0].kind == plan.operators[1].kind;
            }
            with_flip += plan.flip && !plan.operators.empty();
        }
        const auto near = [](double share, double expected, double of) {
            return std::abs(share / of - expected) < 5 * std::sqrt(expected * (1 - expected) / of);
        };
        for (const int times : seen) BOOST_TEST(near(times, 0.025, static_cast<double>(count) * draws));
        double choose = 1;    // draws over k, times 2^-draws
        for (int k = 0; k <= draws; ++k) {
            BOOST_TEST(near(of_length[static_cast<std::size_t>(k)], choose * std::pow(0.5, draws), count));
            choose = choose * (draws - k) / (k + 1);
        }
        if (draws > 1) BOOST_TEST(near(equal_pairs, 0.1, pairs));
        BOOST_TEST(near(with_flip, 0.5 * (1 - std::pow(0.5, draws)), count));
    }
    AugmentOptions none;
    none.operators = 0;
    for (int i = 0; i < 100; ++i) BOOST_REQUIRE(draw_training_plan(48, 64, none, key(i)).operators.empty());
}

BOOST_AUTO_TEST_CASE(pictures_that_no_crop_fits_get_the_centre) {
    const AugmentOptions options;
    const Box wide = draw_training_plan(10, 1000, options, key(3)).crop;
    BOOST_TEST(wide.height == 10);
    BOOST_TEST(wide.width == 13);    // round(10 * 4/3)
    BOOST_TEST(wide.left == (1000 - 13) / 2);
    const Box tall = draw_training_plan(1000, 10, options, key(3)).crop;
    BOOST_TEST(tall.width == 10);
    BOOST_TEST(tall.height == 13);    // round(10 / 0.75)
    BOOST_TEST(tall.top == (1000 - 13) / 2);
    const Box tiny = draw_training_plan(1, 1, options, key(3)).crop;
    BOOST_TEST(tiny.height == 1);
    BOOST_TEST(tiny.width == 1);
}

BOOST_AUTO_TEST_CASE(options_are_obeyed) {
    AugmentOptions options;
    options.flip = 0;
    for (int i = 0; i < 200; ++i) BOOST_REQUIRE(!draw_training_plan(48, 64, options, key(i)).flip);
    options.flip = 1;
    for (int i = 0; i < 200; ++i) BOOST_REQUIRE(draw_training_plan(48, 64, options, key(i)).flip);
    options.enabled = false;
    BOOST_TEST(same(draw_training_plan(48, 64, options, key(1)), evaluation_plan(48, 64)));
}

BOOST_AUTO_TEST_CASE(applied_plan_is_crop_resize_flip_operators_by_planes) {
    const Image image = picture(60, 80);
    constexpr int size = 32;
    for (const bool flip : {false, true}) {
        const AugmentPlan plan{Box{5, 9, 40, 50}, flip};
        std::vector<std::uint8_t> output_CHW(3 * size * size), expected_HWC(3 * size * size);
        apply_plan(image, plan, size, output_CHW.data());
        resize_bicubic(image, plan.crop, size, size, expected_HWC.data());
        for (int c = 0; c < 3; ++c) {
            for (int i = 0; i < size * size; ++i) {
                const int from = flip ? i / size * size + size - 1 - i % size : i;
                BOOST_REQUIRE_EQUAL(output_CHW[c * size * size + i], expected_HWC[from * 3 + c]);
            }
        }
        // operators come last, in their order
        AugmentPlan with_operators = plan;
        with_operators.operators = {{ImageOperator::rotate, true}, {ImageOperator::equalize, false}};
        for (const SignedOperator& operation : with_operators.operators)
            apply_operator(operation, size, size, output_CHW.data());
        std::vector<std::uint8_t> augmented_CHW(output_CHW.size());
        apply_plan(image, with_operators, size, augmented_CHW.data());
        BOOST_TEST((augmented_CHW == output_CHW));
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// Resizing of learned positions, against the definition as a double loop and against numbers of PyTorch's interpolate.
#include "src/weights/position_embedding.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "tests/tolerances.h"

namespace blip::test {
namespace {

// [1 + side * side, width]
std::vector<float> positions(std::int64_t side, std::int64_t width) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < 1 + side * side; ++i)
        for (std::int64_t c = 0; c < width; ++c)
            values.push_back(static_cast<float>(std::sin(0.7 * static_cast<double>(i) + 1.3 * static_cast<double>(c))));
    return values;
}

// Keys' kernel with a = -0.75.
double cubic(double t) {
    constexpr double a = -0.75;
    t = std::abs(t);
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

std::vector<double> by_definition(const std::vector<float>& values, std::int64_t from, std::int64_t to,
                                  std::int64_t width) {
    std::vector<double> result(values.begin(), values.begin() + width);
    const double scale = static_cast<double>(from) / static_cast<double>(to);
    for (std::int64_t y = 0; y < to; ++y)
        for (std::int64_t x = 0; x < to; ++x)
            for (std::int64_t c = 0; c < width; ++c) {
                const double at_y = (static_cast<double>(y) + 0.5) * scale - 0.5;
                const double at_x = (static_cast<double>(x) + 0.5) * scale - 0.5;
                const auto top = static_cast<std::int64_t>(std::floor(at_y)) - 1;
                const auto left = static_cast<std::int64_t>(std::floor(at_x)) - 1;
                double sum = 0;
                for (std::int64_t i = top; i < top + 4; ++i)
                    for (std::int64_t j = left; j < left + 4; ++j) {
                        // beyond the border its own values go on
                        const std::int64_t row = std::clamp<std::int64_t>(i, 0, from - 1);
                        const std::int64_t column = std::clamp<std::int64_t>(j, 0, from - 1);
                        const float value = values[static_cast<std::size_t>((1 + row * from + column) * width + c)];
                        sum += cubic(at_y - static_cast<double>(i)) * cubic(at_x - static_cast<double>(j)) * value;
                    }
                result.push_back(sum);
            }
    return result;
}

template <class Values>
double difference(const std::vector<float>& resized, const Values& expected) {
    BOOST_REQUIRE(resized.size() == expected.size());
    double most = 0;
    for (std::size_t i = 0; i < resized.size(); ++i) most = std::max(most, std::abs(expected[i] - resized[i]));
    return most;
}

BOOST_AUTO_TEST_SUITE(position_embedding)

BOOST_AUTO_TEST_CASE(equals_the_definition) {
    for (const auto& [from, to] : {std::pair{14, 24}, {24, 14}, {24, 30}, {6, 24}, {1, 3}, {4, 4}}) {
        const std::vector<float> values = positions(from, 5);
        const std::vector<float> resized = resize_positions(values, from, to, 5);
        BOOST_TEST(difference(resized, by_definition(values, from, to, 5)) <= tolerance::resized_positions,
                   from << " to " << to);
        BOOST_TEST(std::equal(values.begin(), values.begin() + 5, resized.begin()), "[CLS]");
    }
}

// torch.nn.functional.interpolate(grid, size=(to, to), mode='bicubic', align_corners=False) of PyTorch 2.11
BOOST_AUTO_TEST_CASE(equals_pytorch) {
    const std::vector<double> two_to_three = {0.589035809, 1.05163634,   0.833560824, 0.77296108,   1.07808602,
                                              0.494285941, 0.761829495,  0.372219086, 0.706966221,  0.0657148063,
                                              0.652103186, -0.240789413, 0.934623361, -0.307197839, 0.580371857,
                                              -0.64153111, 0.2261208,    -0.975864589};
    const std::vector<double> three_to_two = {0.645725071,  0.408159673,  0.498937428, -0.326345831,
                                              -0.689664841, -0.215287328, -0.32629016, 0.498981118};
    const auto without_cls = [](const std::vector<float>& resized) {
        return std::vector<float>(resized.begin() + 2, resized.end());
    };
    BOOST_TEST(difference(without_cls(resize_positions(positions(2, 2), 2, 3, 2)), two_to_three) <=
               tolerance::resized_positions);
    BOOST_TEST(difference(without_cls(resize_positions(positions(3, 2), 3, 2, 2)), three_to_two) <=
               tolerance::resized_positions);
}

BOOST_AUTO_TEST_CASE(only_square_grids_have_a_side) {
    BOOST_TEST(grid_side({1, 577, 768}).value_or(-1) == 24);
    BOOST_TEST(grid_side({1, 2, 3}).value_or(-1) == 1);
    for (const std::vector<std::int64_t>& shape :
         {std::vector<std::int64_t>{1, 576, 768}, {2, 577, 768}, {577, 768}, {1, 1, 4}, {}})
        BOOST_TEST(!grid_side(shape).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace
}    // namespace blip::test

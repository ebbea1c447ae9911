// Captions drawn for training: their frequencies, what they depend on, and where they end.
#include "blip/generate/training_samples.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <numeric>

#include "blip/base/error.h"

namespace blip::test {
namespace {

constexpr SearchTokens toy_special{1, 0};
constexpr std::int64_t toy_words = 5, toy_start = 2;

// Logits depend on the last token and on how many there are.
class DrawnModel : public NextTokenModel {
  public:
    at::Tensor start(const at::Tensor& prompts_BP) override {
        length_ = prompts_BP.size(1);
        return after(prompts_BP.select(1, -1));
    }
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) override {
        parents.push_back(parents_R);
        ++length_;
        return after(tokens_R);
    }
    static std::vector<float> logits(std::int64_t last, std::int64_t length) {
        std::vector<float> row;
        for (std::int64_t token = 0; token < toy_words; ++token)
            row.push_back(static_cast<float>(std::sin(static_cast<double>(3 * last + 7 * token + length))));
        return row;
    }
    std::vector<at::Tensor> parents;

  private:
    at::Tensor after(const at::Tensor& last_R) const {
        std::vector<float> all;
        for (std::int64_t r = 0; r < last_R.size(0); ++r) {
            const auto row = logits(last_R[r].item<std::int64_t>(), length_);
            all.insert(all.end(), row.begin(), row.end());
        }
        return at::tensor(all).view({-1, toy_words});
    }
    std::int64_t length_ = 0;
};

std::vector<std::uint64_t> keys_from(std::uint64_t first, std::size_t count) {
    std::vector<std::uint64_t> keys(count);
    std::iota(keys.begin(), keys.end(), first);
    return keys;
}

at::Tensor toy_samples(std::int64_t prompts, SamplePlan plan) {
    DrawnModel model;
    return draw_samples(model, at::full({prompts, 1}, toy_start, at::kLong), plan, toy_special);
}

double share_of(const std::vector<float>& logits, std::int64_t token) {
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
    return std::exp(static_cast<double>(logits[static_cast<std::size_t>(token)])) / sum;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(training_samples)

// All sequences of up to three drawn tokens, against the product of their shares.
BOOST_AUTO_TEST_CASE(sequences_come_as_often_as_they_are_likely) {
    constexpr std::int64_t count = 40000;
    const at::Tensor drawn = toy_samples(count / 4, {4, false, 4, keys_from(1, count)});
    BOOST_TEST(drawn.size(0) == count);
    std::map<std::vector<std::int64_t>, int> seen;
    for (std::int64_t r = 0; r < count; ++r) {
        const auto* row = static_cast<const std::int64_t*>(drawn.const_data_ptr()) + r * drawn.size(1);
        ++seen[{row + 1, row + 4}];
    }
    double chi_squared = 0, all = 0;
    int kinds = 0;
    const auto walk = [&](auto& self, std::vector<std::int64_t> so_far, double share) -> void {
        if (so_far.size() == 3 || (!so_far.empty() && so_far.back() == toy_special.end)) {
            so_far.resize(3, toy_special.pad);
            const double expected = share * count, off = seen[so_far] - expected;
            chi_squared += off * off / expected;
            all += share;
            ++kinds;
            return;
        }
        const auto logits = DrawnModel::logits(so_far.empty() ? toy_start : so_far.back(),
                                               static_cast<std::int64_t>(so_far.size()) + 1);
        for (std::int64_t token = 0; token < toy_words; ++token) {
            so_far.push_back(token);
            self(self, so_far, share * share_of(logits, token));
            so_far.pop_back();
        }
    };
    walk(walk, {}, 1);
    BOOST_TEST(std::abs(all - 1) < 1e-9);
    BOOST_TEST(kinds == 85);
    BOOST_TEST(chi_squared < 84 + 4 * std::sqrt(2 * 84.0));
}

BOOST_AUTO_TEST_CASE(a_row_depends_on_its_key_alone) {
    const at::Tensor all = toy_samples(6, {3, false, 12, keys_from(100, 18)});
    const at::Tensor some = toy_samples(2, {3, false, 12, keys_from(106, 6)});
    const std::int64_t width = std::min(all.size(1), some.size(1));
    BOOST_TEST(at::equal(all.narrow(0, 6, 6).narrow(1, 0, width), some.narrow(1, 0, width)));
    BOOST_TEST(!at::equal(all, toy_samples(6, {3, false, 12, keys_from(101, 18)})));
}

BOOST_AUTO_TEST_CASE(rows_end_once_and_are_padded) {
    const at::Tensor drawn = toy_samples(30, {5, false, 9, keys_from(7, 150)});
    int ended = 0;
    for (std::int64_t r = 0; r < drawn.size(0); ++r) {
        bool end = false;
        for (std::int64_t t = 1; t < drawn.size(1); ++t) {
            const std::int64_t token = drawn[r][t].item<std::int64_t>();
            if (end) BOOST_TEST(token == toy_special.pad);
            end = end || token == toy_special.end;
        }
        ended += end ? 1 : 0;
    }
    BOOST_TEST((ended > 50 && ended < 150));
    // the longest length is kept where a row has no end, and what is not needed is not computed
    BOOST_TEST(drawn.size(1) == 9);
    const at::Tensor short_ones = toy_samples(1, {1, false, 1000, keys_from(7, 1)});
    BOOST_TEST(short_ones.size(1) < 200);
}

BOOST_AUTO_TEST_CASE(greedy_rows_stand_behind_the_samples) {
    const at::Tensor plain = toy_samples(3, {2, false, 8, keys_from(5, 6)}),
                     with = toy_samples(3, {2, true, 8, keys_from(5, 6)});
    BOOST_TEST(with.size(0) == 9);
    const std::int64_t width = std::min(plain.size(1), with.size(1));
    for (std::int64_t prompt = 0; prompt < 3; ++prompt) {
        BOOST_TEST(at::equal(with.narrow(0, 3 * prompt, 2).narrow(1, 0, width),
                             plain.narrow(0, 2 * prompt, 2).narrow(1, 0, width)));
        std::int64_t last = toy_start;
        for (std::int64_t t = 1; t < with.size(1) && last != toy_special.end; ++t) {
            const auto logits = DrawnModel::logits(last, t);
            last = std::max_element(logits.begin(), logits.end()) - logits.begin();
            BOOST_TEST(with[3 * prompt + 2][t].item<std::int64_t>() == last);
        }
    }
}

BOOST_AUTO_TEST_CASE(the_first_call_widens_the_rows) {
    DrawnModel model;
    draw_samples(model, at::full({2, 1}, toy_start, at::kLong), {3, false, 6, keys_from(5, 6)}, toy_special);
    BOOST_REQUIRE(model.parents.size() >= 2U);
    BOOST_TEST(at::equal(model.parents[0].to(at::kLong), at::tensor({0L, 0L, 0L, 1L, 1L, 1L})));
    BOOST_TEST(at::equal(model.parents[1].to(at::kLong), at::tensor({0L, 1L, 2L, 3L, 4L, 5L})));
}

BOOST_AUTO_TEST_CASE(no_room_or_keys_for_others) {
    DrawnModel model;
    const at::Tensor prompts = at::full({2, 4}, toy_start, at::kLong);
    BOOST_CHECK_THROW(draw_samples(model, prompts, {2, false, 4, keys_from(0, 4)}, toy_special), Error);
    BOOST_CHECK_THROW(draw_samples(model, prompts, {2, false, 5, keys_from(0, 3)}, toy_special), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

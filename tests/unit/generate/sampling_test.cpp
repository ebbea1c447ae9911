// Draws against exact probabilities, what they may depend on, and the filters at their edges.
#include "blip/generate/sampling.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "blip/base/error.h"
#include "blip/generate/beam_search.h"

namespace blip::test {
namespace {

using Sequence = std::vector<std::int64_t>;
constexpr SearchTokens special{1, 0};
constexpr std::int64_t vocabulary = 7;

// Logits after a token, the same at every position.
double table_logit(std::int64_t last, std::int64_t token) {
    return 1.5 * std::sin(static_cast<double>(3 * last + 5 * token + 1));
}

class TableModel : public NextTokenModel {
  public:
    at::Tensor start(const at::Tensor& prompts_BP) override { return after(prompts_BP.select(1, -1)); }
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor&) override { return after(tokens_R); }

  private:
    static at::Tensor after(const at::Tensor& last_R) {
        std::vector<float> logits;
        for (std::int64_t r = 0; r < last_R.size(0); ++r)
            for (std::int64_t token = 0; token < vocabulary; ++token)
                logits.push_back(static_cast<float>(table_logit(last_R[r].item<std::int64_t>(), token)));
        return at::tensor(logits).view({-1, vocabulary});
    }
};

// The distribution of the next token, written down from the rules without regard to cost.
std::vector<double> exact(const Sequence& so_far, const GenerateOptions& options) {
    std::vector<double> logits;
    for (std::int64_t token = 0; token < vocabulary; ++token) {
        double logit = static_cast<float>(table_logit(so_far.back(), token));
        if (std::count(so_far.begin(), so_far.end(), token) > 0)
            logit = logit > 0 ? logit / options.penalty() : logit * options.penalty();
        if (token == special.end && static_cast<int>(so_far.size()) < options.min_length)
            logit = -std::numeric_limits<double>::infinity();
        logits.push_back(logit);
    }
    std::vector<std::size_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
    if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
    const auto sum_of = [&](const std::vector<std::size_t>& tokens) {
        double sum = 0;
        for (const std::size_t token : tokens) sum += std::exp(logits[token]);
        return sum;
    };
    const double all = sum_of(order);
    std::vector<std::size_t> kept;
    for (const std::size_t token : order)
        if (kept.empty() || sum_of(kept) / all <= options.top_p) kept.push_back(token);
    std::vector<double> probabilities(logits.size(), 0);
    for (const std::size_t token : kept) probabilities[token] = std::exp(logits[token]) / sum_of(kept);
    return probabilities;
}

GenerateOptions sampling(int top_k, double top_p, double penalty) {
    GenerateOptions options;
    options.sample = true;
    options.top_k = top_k;
    options.top_p = top_p;
    options.repetition_penalty = penalty;
    options.min_length = 0;
    options.max_length = 20;
    return options;
}

DrawKeys keys_from(std::uint64_t seed, std::uint64_t first, std::int64_t count) {
    DrawKeys keys{seed, std::vector<std::uint64_t>(static_cast<std::size_t>(count))};
    std::iota(keys.pictures.begin(), keys.pictures.end(), first);
    return keys;
}

at::Tensor prompts(std::int64_t count) { return at::tensor(Sequence{2, 5}).repeat({count, 1}); }

// Pearson's sum over cells that can occur; adds how many these are.
double chi_square(const std::map<Sequence, double>& expected, const std::map<Sequence, int>& seen, int draws,
                  int& cells) {
    double sum = 0;
    for (const auto& [sequence, probability] : expected) {
        const auto found = seen.find(sequence);
        const double count = found == seen.end() ? 0 : found->second, wanted = probability * draws;
        if (wanted == 0) continue;
        sum += (count - wanted) * (count - wanted) / wanted;
        ++cells;
    }
    for (const auto& [sequence, count] : seen)
        BOOST_TEST((expected.contains(sequence) && expected.at(sequence) > 0), "a caption that cannot occur was drawn");
    return sum;
}

}    // namespace

BOOST_AUTO_TEST_SUITE(sampling_draws)

// Of two tokens after the prompt, jointly: the second depends on the first, and its draw must not. Chi-square with n
// degrees of freedom has mean n and deviation sqrt(2 n); five deviations are passed by chance less than once in 10,000.
BOOST_AUTO_TEST_CASE(two_steps_are_distributed_exactly) {
    constexpr int draws = 60000;
    for (const GenerateOptions& given :
         {sampling(0, 1, 1), sampling(4, 1, 1.3), sampling(50, 0.8, 1.1), sampling(0, 0.6, 1), sampling(5, 0.9, 1.1)}) {
        for (const int min_length : {0, 3}) {
            GenerateOptions options = given;
            options.max_length = 4;
            options.min_length = min_length;
            std::map<Sequence, double> expected;
            const std::vector<double> first = exact({2, 5}, options);
            for (std::int64_t a = 0; a < vocabulary; ++a) {
                if (a == special.end) {
                    expected[{2, 5, a}] = first[static_cast<std::size_t>(a)];
                    continue;
                }
                const std::vector<double> second = exact({2, 5, a}, options);
                for (std::int64_t b = 0; b < vocabulary; ++b)
                    expected[{2, 5, a, b}] = first[static_cast<std::size_t>(a)] * second[static_cast<std::size_t>(b)];
            }
            // a third as captions of their own pictures, the rest as further captions of the same
            options.num_captions = 3;
            TableModel model;
            std::map<Sequence, int> seen;
            for (const Generated& one :
                 generate(model, prompts(draws / 3), options, special, keys_from(7, 1000, draws / 3)))
                ++seen[one.tokens];
            int cells = 0;
            const double sum = chi_square(expected, seen, draws, cells), freedom = cells - 1;
            BOOST_TEST_MESSAGE("top-k " << options.top_k << ", top-p " << options.top_p << ", penalty "
                                        << options.penalty() << ", shortest " << min_length << ": chi-square " << sum
                                        << " with " << freedom << " degrees of freedom over " << draws << " draws");
            BOOST_TEST(cells > 1);
            BOOST_TEST(sum <= freedom + 5 * std::sqrt(2 * freedom));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_wrong_distribution_shows) {
    constexpr int draws = 60000;
    GenerateOptions options = sampling(0, 1, 1);
    options.max_length = 3;
    std::map<Sequence, double> expected;
    const std::vector<double> other = exact({2, 5}, sampling(0, 1, 1.1));
    for (std::int64_t a = 0; a < vocabulary; ++a) expected[{2, 5, a}] = other[static_cast<std::size_t>(a)];
    TableModel model;
    std::map<Sequence, int> seen;
    for (const Generated& one : generate(model, prompts(draws), options, special, keys_from(7, 0, draws)))
        ++seen[one.tokens];
    int cells = 0;
    BOOST_TEST(chi_square(expected, seen, draws, cells) > 6 + 5 * std::sqrt(12));
}

BOOST_AUTO_TEST_CASE(draws_hang_on_seed_picture_caption_and_position_alone) {
    GenerateOptions options = sampling(50, 0.9, 1.1);
    options.num_captions = 3;
    TableModel model;
    const auto run = [&](const DrawKeys& keys) {
        return generate(model, prompts(static_cast<std::int64_t>(keys.pictures.size())), options, special, keys);
    };
    const std::vector<Generated> all = run({11, {40, 41, 42, 43, 44}});
    // in another order, among others, alone
    const std::vector<Generated> some = run({11, {43, 7, 40}});
    for (std::size_t c = 0; c < 3; ++c) {
        BOOST_TEST(some[c].tokens == all[9 + c].tokens);
        BOOST_TEST(some[6 + c].tokens == all[c].tokens);
        BOOST_TEST(run({11, {42}})[c].tokens == all[6 + c].tokens);
    }
    int same = 0;
    const std::vector<Generated> other_seed = run({12, {40, 41, 42, 43, 44}});
    for (std::size_t r = 0; r < all.size(); ++r) same += other_seed[r].tokens == all[r].tokens ? 1 : 0;
    BOOST_TEST(same < 8);
    // fewer captions are the first of more
    options.num_captions = 1;
    const std::vector<Generated> firsts = run({11, {40, 41, 42, 43, 44}});
    for (std::size_t b = 0; b < firsts.size(); ++b) BOOST_TEST(firsts[b].tokens == all[3 * b].tokens);
}

// Logits that the batch moves within the rounding a model admits never decide a draw: alone() does. Most draws need
// none.
BOOST_AUTO_TEST_CASE(rounding_by_the_batch_decides_no_draw) {
    class ShakenModel : public TableModel {
      public:
        at::Tensor start(const at::Tensor& prompts_BP) override { return shaken(TableModel::start(prompts_BP)); }
        at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) override {
            return shaken(TableModel::advance(tokens_R, parents_R));
        }
        double rounding() const override { return 1e-3; }
        at::Tensor alone(std::int64_t, const Sequence& tokens) override {
            ++asked;
            return TableModel::start(at::tensor(tokens).unsqueeze(0));
        }
        double turn = 1;
        int asked = 0;

      private:
        at::Tensor shaken(const at::Tensor& logits_RV) {
            turn += 1;
            const at::Tensor places = at::arange(logits_RV.numel()).view(logits_RV.sizes());
            // the same rows, differently off in every batch and step; by at most 0.9e-3
            return logits_RV + ((places * 7919 + static_cast<std::int64_t>(turn) * 104729) % 2001 - 1000) * 0.9e-6;
        }
    };
    constexpr std::int64_t count = 4000;
    for (const GenerateOptions& options : {sampling(0, 1, 1), sampling(4, 0.9, 1.1), sampling(0, 0.8, 1.1)}) {
        TableModel exact_model;
        ShakenModel shaken, otherwise;
        otherwise.turn = 500;
        const auto wanted = generate(exact_model, prompts(count), options, special, keys_from(3, 0, count));
        int drawn = 0;
        for (ShakenModel* model : {&shaken, &otherwise}) {
            const auto got = generate(*model, prompts(count), options, special, keys_from(3, 0, count));
            int same = 0;
            for (std::size_t i = 0; i < got.size(); ++i) same += got[i].tokens == wanted[i].tokens ? 1 : 0;
            for (const Generated& one : got) drawn += static_cast<int>(one.tokens.size()) - 2;
            BOOST_TEST(same == count);
        }
        BOOST_TEST_MESSAGE(shaken.asked + otherwise.asked << " of " << drawn << " draws were made alone");
        BOOST_TEST(shaken.asked > 0);
        BOOST_TEST(shaken.asked + otherwise.asked < drawn / 5);
    }
}

BOOST_AUTO_TEST_CASE(inverse_cdf_at_its_edges) {
    const double largest = 1 - 0x1p-53;
    BOOST_TEST(inverse_cdf({0.5, 0.25, 0.25}, 0) == 0U);
    BOOST_TEST(inverse_cdf({0.5, 0.25, 0.25}, 0.5) == 1U);
    BOOST_TEST(inverse_cdf({0.5, 0.25, 0.25}, std::nextafter(0.5, 0)) == 0U);
    BOOST_TEST(inverse_cdf({0.5, 0.25, 0.25}, largest) == 2U);
    BOOST_TEST(inverse_cdf({0, 1, 0}, 0) == 1U);
    BOOST_TEST(inverse_cdf({0, 1, 0}, largest) == 1U);
    BOOST_TEST(inverse_cdf({0.3, 0.3, 0.3, 0}, largest) == 2U);    // a sum that rounding left below 1
}

BOOST_AUTO_TEST_CASE(filters_at_their_edges) {
    const auto tokens_of = [](const std::vector<float>& logits, int top_k, double top_p) {
        Sequence tokens;
        for (const Candidate& one : candidates(at::tensor(logits), sampling(top_k, top_p, 1)))
            tokens.push_back(one.token);
        return tokens;
    };
    BOOST_TEST(tokens_of({0, 3, 1, 2}, 2, 1) == (Sequence{1, 3}));
    BOOST_TEST(tokens_of({2, 3, 1, 2}, 2, 1) == (Sequence{1, 0, 3}));      // as likely as the second
    BOOST_TEST(tokens_of({0, 9, 1, 2}, 0, 0) == (Sequence{1}));            // one stays whatever top-p is
    BOOST_TEST(tokens_of({0, 0, 0, 0}, 0, 0.5) == (Sequence{0, 1, 2}));    // exactly .5 is not yet more
    BOOST_TEST(tokens_of({0, 3, 1, 2}, 9, 1) == (Sequence{1, 3, 2, 0}));
    // more equals of the last one than are looked at first; a nucleus that is wider
    std::vector<float> wide(5000, 0.0F);
    wide[17] = 1.0F;
    BOOST_TEST(tokens_of(wide, 3, 1).size() == 5000U);
    const std::vector<Candidate> half = candidates(at::tensor(wide), sampling(0, 0.5, 1));
    BOOST_TEST(half.size() == 2500U);    // e + 2498 < (e + 4999) / 2 <= e + 2499
    BOOST_TEST(half.front().token == 17);
    double sum = 0;
    for (const Candidate& one : half) sum += one.probability;
    BOOST_TEST(std::abs(sum - 1) < 1e-12);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    BOOST_CHECK_THROW(tokens_of({0, nan, 1}, 2, 0.9), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

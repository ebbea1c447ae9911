// The beam search as a GPU runs it, without one: what the host learns late changes nothing, and the body of the
// decisions gives the same in any order of images and wherever its memory lies. (Against the reference: tests/golden.)
#include "src/generate/searches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <map>
#include <type_traits>

#include "tests/fake_cuda/operands.h"

namespace blip::test {
namespace {

constexpr SearchTokens beam_special{1, 0};
constexpr std::int64_t beam_vocabulary = 11;

// Logits after a token, the same at every position; `leaning` is added to the end token's.
class CountedModel : public NextTokenModel {
  public:
    explicit CountedModel(double leaning)
        : table_VV_((at::arange(beam_vocabulary * beam_vocabulary) * 1.7)
                        .sin()
                        .mul(1.5)
                        .to(at::kFloat)
                        .view({beam_vocabulary, -1})) {
        table_VV_.select(1, beam_special.end).add_(leaning);
    }
    void expect_length(std::int64_t longest) override { longest_ = longest; }
    at::Tensor start(const at::Tensor& prompts_BP) override {
        length_ = prompts_BP.size(1);
        return table_VV_.index_select(0, prompts_BP.select(1, -1));
    }
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) override {
        BOOST_TEST(++length_ < longest_);
        BOOST_TEST(parents_R.min().item<std::int64_t>() >= 0);
        ++calls_;
        return table_VV_.index_select(0, tokens_R);
    }
    int calls() const { return calls_; }

  private:
    at::Tensor table_VV_;
    std::int64_t longest_ = 0, length_ = 0;
    int calls_ = 0;
};

// What one image's finished sequences are, written down as lists.
struct List {
    std::size_t capacity;
    std::vector<std::pair<double, std::int64_t>> kept;    // score, first token

    void add(double score, std::int64_t token) {
        const auto less = [](const auto& a, const auto& b) { return a.first < b.first; };
        if (kept.size() == capacity && score <= std::min_element(kept.begin(), kept.end(), less)->first) return;
        kept.emplace_back(score, token);
        if (kept.size() > capacity) kept.erase(std::min_element(kept.begin(), kept.end(), less));
    }
};

// All memory of a body, filled alike each time.
struct Memory {
    static constexpr std::int64_t images = 5, beams = 3, longest = 6, length = 3, rows = images * beams;
    std::vector<float> best, own, scores, scores_after;
    std::vector<double> sums, sums_after, kept_scores, kept_own, powers;
    std::vector<std::int64_t> where, tokens, tokens_after, kept_tokens, lengths, order, counts, next, parents;
    bool done[images] = {false, false, true, false, false};

    Memory() {
        for (std::int64_t i = 0; i < 2 * rows; ++i) {
            const std::int64_t rank = i % (2 * beams);
            best.push_back(-static_cast<float>(rank / (i < 2 * beams ? 3 : 2)));    // equal sums in twos and threes
            own.push_back(-0.25F * static_cast<float>(rank + 1));
            // image 0 finishes at once: its best candidates end
            const std::int64_t token = rank < (i < 2 * beams ? 3 : 2) ? beam_special.end : 2 + i % 7;
            where.push_back((rank + i / 5) % beams * beam_vocabulary + token);
        }
        for (std::int64_t r = 0; r < rows; ++r) {
            scores.push_back(-0.5F * static_cast<float>(r));
            sums.push_back(-0.125 * static_cast<double>(r));
            for (std::int64_t t = 0; t < longest; ++t) tokens.push_back(t < length ? 20 + r + t : -1);
        }
        for (std::int64_t l = 0; l <= longest; ++l) powers.push_back(static_cast<double>(l));
        scores_after.resize(rows);
        sums_after.resize(rows);
        tokens_after.resize(rows * longest, -7);
        kept_tokens.resize(rows * longest, -7);
        for (auto* values : {&lengths, &order, &next, &parents}) values->resize(rows, -7);
        kept_scores.resize(rows);
        kept_own.resize(rows);
        counts.resize(images, 0);
    }
    ChooseBody body() {
        return {best.data(),
                own.data(),
                where.data(),
                {tokens.data(), scores.data(), sums.data()},
                {tokens_after.data(), scores_after.data(), sums_after.data()},
                {kept_tokens.data(), kept_scores.data(), kept_own.data(), lengths.data(), order.data(), counts.data(),
                 powers.data(), beams, longest},
                done,
                next.data(),
                parents.data(),
                images,
                beam_vocabulary,
                length,
                beam_special.end,
                beam_special.pad,
                false};
    }
    bool operator==(const Memory& other) const {
        return scores_after == other.scores_after && sums_after == other.sums_after && tokens == other.tokens &&
               tokens_after == other.tokens_after && kept_tokens == other.kept_tokens &&
               kept_scores == other.kept_scores && kept_own == other.kept_own && lengths == other.lengths &&
               order == other.order && counts == other.counts && next == other.next && parents == other.parents &&
               std::equal(done, done + images, other.done);
    }
};

}    // namespace

BOOST_AUTO_TEST_SUITE(search_beams)

BOOST_AUTO_TEST_CASE(what_the_host_learns_late_changes_nothing) {
    const at::Tensor prompts = at::tensor({2L, 3L, 2L, 7L, 4L, 10L, 5L, 9L}).view({4, 2});
    int early = 0, compared = 0;
    for (const double leaning : {-4.0, 0.0, 1.0, 2.5}) {
        for (const int beams : {2, 3, 5}) {
            for (const double penalty : {1.0, 1.3}) {
                GenerateOptions options;
                options.search = penalty == 1.0 ? "transformers" : "blip";
                options.num_beams = options.num_captions = beams;
                options.repetition_penalty = penalty;
                options.max_length = 14;
                CountedModel prompt_model(leaning);
                const auto wanted = blip::search_beams(prompt_model, prompts, options, beam_special, 0);
                for (const int lag : {1, 3}) {
                    CountedModel model(leaning);
                    const auto got = blip::search_beams(model, prompts, options, beam_special, lag);
                    BOOST_TEST(model.calls() == std::min(prompt_model.calls() + lag, options.max_length - 3));
                    BOOST_TEST_REQUIRE(got.size() == wanted.size());
                    for (std::size_t i = 0; i < got.size(); ++i) {
                        BOOST_TEST(got[i].tokens == wanted[i].tokens);
                        BOOST_TEST(got[i].log_probability == wanted[i].log_probability);
                        ++compared;
                    }
                }
                early += prompt_model.calls() < options.max_length - 4 ? 1 : 0;
            }
        }
    }
    BOOST_TEST(early > 2);    // searches that end long before their longest length
    BOOST_TEST(compared > 0);
}

BOOST_AUTO_TEST_CASE(images_may_come_in_any_order_and_memory_lie_anywhere) {
    Memory once, backwards, elsewhere;
    for (std::int64_t image = 0; image < Memory::images; ++image) once.body()(image);
    for (std::int64_t image = Memory::images; image-- > 0;) backwards.body()(image);
    BOOST_TEST((once == backwards));

    // through copies of exactly the bytes that the body shows
    std::map<const void*, std::vector<char>> copies;
    std::vector<const void*> written;
    ChooseBody body = elsewhere.body();
    each_operand(body, [&](const void* pointer, std::size_t bytes, bool writes) {
        const auto* first = static_cast<const char*>(pointer);
        BOOST_TEST(copies.emplace(pointer, std::vector<char>(first, first + bytes)).second);
        if (writes) written.push_back(pointer);
    });
    BOOST_TEST(copies.size() == 19U);
    each_operand(body, [&](auto*& pointer, std::size_t, bool) {
        pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(copies.at(pointer).data());
    });
    for (std::int64_t image = 0; image < Memory::images; ++image) body(image);
    BOOST_TEST((elsewhere == Memory()));
    for (const void* pointer : written)
        std::memcpy(const_cast<void*>(pointer), copies.at(pointer).data(), copies.at(pointer).size());
    BOOST_TEST((elsewhere == once));

    // image 0 ended with three sequences as good as any; image 2 was done before, and is padded
    BOOST_TEST(once.done[0]);
    BOOST_TEST(!once.done[1]);
    BOOST_TEST(once.counts[1] == 2);
    BOOST_TEST(once.counts[2] == 0);
    BOOST_TEST(once.next[2 * Memory::beams] == beam_special.pad);
    BOOST_TEST(once.parents[3 * Memory::beams - 1] == 2 * Memory::beams);
}

BOOST_AUTO_TEST_CASE(the_first_of_equal_worst_ones_goes) {
    constexpr std::int64_t capacity = 3;
    int state = 1;
    for (int trial = 0; trial < 2000; ++trial) {
        List list{capacity, {}};
        std::int64_t tokens[capacity], lengths[capacity], order[capacity], count = 0;
        double scores[capacity], own[capacity];
        const double powers[] = {0, 1};
        const FinishedBeams finished{tokens, scores, own, lengths, order, &count, powers, capacity, 1};
        for (std::int64_t token = 0; token < 9; ++token) {
            state = (state * 137 + 71) % 10007;
            const double score = state % 4;
            finished.add(0, &token, 1, score, 0);
            list.add(score, token);
        }
        BOOST_TEST_REQUIRE(count == capacity);
        for (std::int64_t i = 0; i < capacity; ++i) {
            const auto& [score, token] = list.kept[static_cast<std::size_t>(i)];
            BOOST_TEST(scores[order[i]] == score);
            BOOST_TEST(tokens[order[i]] == token);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

// Self-critical training: the gradient against its closed form on a toy vocabulary, exactly and over draws; a step of
// the real network against a plain pass over the same draws, and in parts.
#include "blip/tasks/caption/self_critical.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/kl_div.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "blip/base/durable_file.h"
#include "blip/base/error.h"
#include "blip/generate/training_samples.h"
#include "blip/options/model_shape.h"
#include "blip/params/arena.h"
#include "blip/text/caption_text.h"
#include "tests/support/paths.h"
#include "tests/tolerances.h"
#include "tests/unit/data/small_packed_file.h"

namespace blip::test {
namespace {

// Two tokens: 1 ends a caption, 0 does not. Up to three are drawn, so that there are four captions, told by where they
// end; logits depend on the position.
constexpr SearchTokens two_tokens{1, 0};
constexpr std::int64_t two_longest = 3;
const std::vector<double> two_rewards = {0.3, 1.7, 0.9, 0.1};    // ended at 0, 1, 2, never

at::Tensor two_logits() { return at::tensor({0.2F, -0.4F, -0.3F, 0.5F, 0.8F, 0.1F}).view({two_longest, 2}); }

class TwoTokenModel : public NextTokenModel {
  public:
    at::Tensor start(const at::Tensor& prompts_BP) override { return rows(prompts_BP.size(0)); }
    at::Tensor advance(const at::Tensor& tokens_R, const at::Tensor&) override { return rows(tokens_R.size(0)); }

  private:
    at::Tensor rows(std::int64_t count) { return two_logits()[position_++].unsqueeze(0).repeat({count, 1}); }
    std::int64_t position_ = 0;
};

// Of the expected reward by the logits [3, 2], from the values of going on.
std::vector<double> closed_gradient() {
    std::vector<double> ends;
    for (std::int64_t t = 0; t < two_longest; ++t)
        ends.push_back(1 / (1 + std::exp(two_logits()[t][0].item<double>() - two_logits()[t][1].item<double>())));
    std::vector<double> value(two_longest + 1, two_rewards[3]);    // expected reward before position t
    for (std::size_t t = two_longest; t-- > 0;) value[t] = ends[t] * two_rewards[t] + (1 - ends[t]) * value[t + 1];
    std::vector<double> gradient;
    double reached = 1;
    for (std::size_t t = 0; t < two_longest; ++t) {
        const double of_end = reached * ends[t] * (1 - ends[t]) * (two_rewards[t] - value[t + 1]);
        gradient.insert(gradient.end(), {-of_end, of_end});
        reached *= 1 - ends[t];
    }
    return gradient;
}

// Of policy_loss over these drawn rows, by the logits.
at::Tensor toy_gradient(const at::Tensor& drawn_CG, const at::Tensor& factors_C) {
    const at::Tensor logits = two_logits().requires_grad_(true);
    const at::Tensor rows = logits.narrow(0, 0, drawn_CG.size(1)).unsqueeze(0).expand({drawn_CG.size(0), -1, -1});
    policy_loss(rows, drawn_CG, counted_tokens(drawn_CG, two_tokens.end) * factors_C.unsqueeze(1)).backward();
    return logits.grad();
}

double worst_against_closed_form(const at::Tensor& gradient) {
    const std::vector<double> wanted = closed_gradient();
    double worst = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i)
        worst = std::max(worst, std::abs(gradient.flatten()[static_cast<std::int64_t>(i)].item<double>() + wanted[i]));
    return worst;    // the loss falls where the reward rises
}

// A small model over a packed file with real words.
struct Training {
    TempDir folder;
    Options options;
    PackedDataset dataset;
    Captioner captioner;
    Arena arena;

    explicit Training(const char* baseline, std::uint64_t seed = 3)
        : options(options_with(baseline)),
          dataset(written(folder / "words.h5")),
          captioner(options.model),
          arena(captioner.layout(), 1, 1 << 20, host_allocator(), true) {
        initialise(arena, seed);
        // random weights draw any word: so that these few come, and captions end
        const c10::AutoGradMode no_gradients(false);
        const at::Tensor bias =
            arena.weights()[static_cast<std::size_t>(captioner.layout().find("text_decoder.cls.predictions.bias"))];
        const Vocabulary vocabulary = Vocabulary::from_file(vocabulary_file());
        for (const char* word : {"a", "red", "dog", "cat", "[SEP]"}) bias[vocabulary.id(word)].fill_(10);
    }
    static constexpr const char* texts[4][2] = {
        {"a red dog", "A dog."}, {"a cat", "a red cat"}, {"red", "a red a"}, {"dog cat", "a dog"}};
    static Options options_with(const char* baseline) {
        Options options;
        options.model = model_preset("tiny");
        options.model.text_layers = options.model.vision_depth = 2;
        options.model.image_size = 32;
        options.loss.objective = "self-critical";
        options.loss.dropout = 0.1;
        options.self_critical.samples_per_picture = 3;
        options.self_critical.baseline = baseline;
        options.generate.max_length = 9;
        return options;
    }
    static PackedDataset written(const std::filesystem::path& path) {
        SplitTables train;
        train.name = "train";
        for (std::int64_t row = 0; row < 4; ++row) {
            const Image image = noise_image(0, row);
            add_image(train, 1000 + row, image.height, image.width);
            for (const char* text : texts[row])
                add_caption(train, row, {SpecialTokens::dec, 1037, 3861, 1997, 3899, SpecialTokens::sep}, text);
        }
        PackedWriter writer(path, {"a picture of ", 4, read_file(vocabulary_file()), "a test"},
                            {train, small_split("val", 1, 1, 1)});
        for (std::size_t s = 0; s < 2; ++s)
            for (std::int64_t row = 0; row < writer.splits()[s].image_count(); ++row)
                writer.write_image(s, row, noise_image(s, row));
        writer.commit();
        return PackedDataset::open(path);
    }
};

struct StepFound {
    double loss = 0;
    std::vector<at::Tensor> gradients;
    std::vector<double> sums;
};

// In micro-batches of so many pictures.
StepFound step_in_parts(Training& run, const SelfCriticalObjective& objective, const at::Tensor& images,
                        std::int64_t part) {
    run.arena.zero_gradients();
    const std::int64_t samples = run.options.self_critical.samples_per_picture, pictures = images.size(0);
    StepFound found;
    found.sums.resize(objective.sum_count());
    const at::Tensor device_sums =
        at::zeros({static_cast<std::int64_t>(objective.device_sum_count())}, at::TensorOptions().dtype(at::kDouble));
    for (std::int64_t first = 0; first < pictures; first += part) {
        FedBatch fed;
        fed.images_I3SS = images.narrow(0, first, part);
        fed.batch.request.tag = first * samples;
        for (std::int64_t i = 0; i < part; ++i) fed.batch.request.images.push_back(first + i);
        const StepShare share{
            42, 5, static_cast<double>(pictures * samples), static_cast<int>(pictures / part), found.sums, device_sums};
        const at::Tensor loss = objective.loss(run.arena.weights(), fed, share);
        loss.backward();
        found.loss += loss.item<double>();
    }
    for (const at::Tensor& weights : run.arena.weights()) found.gradients.push_back(weights.grad().clone());
    for (std::int64_t i = 0; i < device_sums.numel(); ++i) found.sums.push_back(device_sums[i].item<double>());
    return found;
}

void check_equal_steps(const StepFound& got, const StepFound& wanted) {
    double largest = 0;
    for (const at::Tensor& gradient : wanted.gradients)
        largest = std::max(largest, gradient.abs().max().item<double>());
    BOOST_TEST(largest > 0);
    BOOST_TEST(std::abs(got.loss - wanted.loss) <=
               tolerance::self_critical_parts * std::max(1.0, std::abs(wanted.loss)));
    for (std::size_t id = 0; id < got.gradients.size(); ++id)
        BOOST_TEST((got.gradients[id] - wanted.gradients[id]).abs().max().item<double>() <=
                       tolerance::self_critical_parts * largest,
                   "parameter " << id);
}

// The draws anew, rewarded and weighed one by one; kl: times the divergence from another model's.
void check_against_a_plain_pass(double kl) {
    Training run("others");
    const Training other("others", /*seed=*/4);
    run.options.self_critical.kl = kl;
    const Weights* start = kl > 0 ? &other.arena.weights() : nullptr;
    const SelfCriticalObjective objective(run.captioner, run.dataset, run.options, start);
    run.options.loss.dropout = 0;
    const SelfCriticalObjective plain(run.captioner, run.dataset, run.options, start);
    const at::Tensor images = at::randint(0, 256, {2, 3, 32, 32}, at::kByte);
    const StepFound got = step_in_parts(run, plain, images, 2);
    BOOST_TEST(std::abs(step_in_parts(run, objective, images, 2).loss - got.loss) > 1e-9);    // dropout reaches it

    const Vocabulary vocabulary = Vocabulary::from_text(run.dataset.vocabulary_text(), "test");
    const WordPieceTokenizer tokenizer(vocabulary);
    SamplePlan plan{3, false, 9, {}};
    for (std::uint64_t i = 0; i < 2; ++i)
        for (std::uint64_t n = 0; n < 3; ++n)
            plan.keys.push_back(random_key(42, RandomPurpose::self_critical_sampling, {5, i, n}));
    const Weights& weights = run.arena.weights();
    at::Tensor drawn;
    {
        const c10::AutoGradMode no_gradients(false);
        CaptionModel model(run.captioner, weights, images);
        const std::vector<TokenId> prompt = prompt_tokens(tokenizer, run.dataset.prompt());
        drawn = draw_samples(
            model, at::tensor(std::vector<std::int64_t>(prompt.begin(), prompt.end())).unsqueeze(0).repeat({2, 1}),
            plan);
    }
    std::vector<std::vector<std::string_view>> references;
    for (const auto& of_picture : Training::texts) references.emplace_back(of_picture, of_picture + 2);
    const CaptionReward reward(references, {}, 1);
    run.arena.zero_gradients();
    double loss = 0, mean = 0, mean_divergence = 0;
    for (std::int64_t picture = 0; picture < 2; ++picture) {
        std::vector<double> rewards;
        std::vector<at::Tensor> log_p, divergences;
        for (std::int64_t row = 3 * picture; row < 3 * picture + 3; ++row) {
            std::vector<TokenId> tokens;
            bool ended = false;
            for (std::int64_t t = 0; t < drawn.size(1) && !ended; ++t) {
                tokens.push_back(static_cast<TokenId>(drawn[row][t].item<std::int64_t>()));
                ended = tokens.back() == SpecialTokens::sep;
            }
            rewards.push_back(reward(decode_caption(tokenizer, tokens), ended, static_cast<std::size_t>(picture)));
            mean += rewards.back() / 6;
            const at::Tensor text = drawn.narrow(0, row, 1).narrow(1, 0, static_cast<std::int64_t>(tokens.size()));
            const auto log_probabilities = [&](const Weights& of) {
                DropoutMasks none = DropoutMasks::none();
                const at::Tensor embeds = run.captioner.vision().forward(of, images.narrow(0, picture, 1));
                return at::log_softmax(
                    run.captioner.text().head(of, run.captioner.text().forward(of, text, embeds, none)[0]), -1);
            };
            const at::Tensor all = log_probabilities(weights), of_other = log_probabilities(other.arena.weights());
            at::Tensor sum = at::full({}, 0, at::kFloat), divergence_sum = sum;
            for (std::size_t t = 4; t < tokens.size(); ++t) {
                const at::Tensor p = all[static_cast<std::int64_t>(t) - 1];
                sum = sum + p[tokens[t]];
                divergence_sum = divergence_sum + at::kl_div(of_other[static_cast<std::int64_t>(t) - 1].detach(), p,
                                                             at::Reduction::Sum, /*log_target=*/true);
            }
            log_p.push_back(sum);
            divergences.push_back(divergence_sum);
            mean_divergence += divergence_sum.item<double>() / 6;
        }
        for (std::size_t n = 0; n < 3; ++n) {
            const double others = (rewards[(n + 1) % 3] + rewards[(n + 2) % 3]) / 2;
            const at::Tensor part = log_p[n] * (-(rewards[n] - others) / 6) + divergences[n] * (kl / 6);
            loss += part.item<double>();
            part.backward();
        }
    }
    StepFound wanted{loss, {}, {}};
    for (const at::Tensor& of_weights : weights) wanted.gradients.push_back(of_weights.grad().clone());
    check_equal_steps(got, wanted);
    BOOST_TEST((plain.signature().find("kl 0.3") != std::string::npos) == (kl > 0));
    const auto told = plain.told(got.sums);
    BOOST_TEST(std::abs(told.at("reward") - mean) < 1e-12);
    BOOST_TEST(mean > 0.05);
    BOOST_TEST(told.contains("kl") == (kl > 0));
    if (kl > 0)
        BOOST_TEST(std::abs(told.at("kl") - mean_divergence) <= tolerance::self_critical_parts * mean_divergence);
    BOOST_TEST((told.at("without_end") > 0 && told.at("without_end") < 1));
}

}    // namespace

BOOST_AUTO_TEST_SUITE(self_critical)

BOOST_AUTO_TEST_CASE(advantages_by_hand) {
    const std::vector<double> rewards = {1, 2, 6, 0, 0, 3};
    BOOST_TEST((advantages(rewards, 3) == std::vector<double>{-3, -1.5, 4.5, -1.5, -1.5, 3}));
    BOOST_TEST((advantages(rewards, 3, {2, 1}) == std::vector<double>{-1, 0, 4, -1, -1, 2}));
    BOOST_TEST((advantages({5, 7}, 1, {1, 2}) == std::vector<double>{4, 5}));
    BOOST_CHECK_THROW(advantages({5, 7}, 1), Error);
}

BOOST_AUTO_TEST_CASE(tokens_count_up_to_the_first_end) {
    const at::Tensor drawn = at::tensor({7L, 2L, 0L, 7L, 7L, 7L, 2L, 2L, 2L}).view({3, 3});
    BOOST_TEST(at::equal(counted_tokens(drawn, 2).to(at::kLong),
                         at::tensor({1L, 1L, 0L, 1L, 1L, 1L, 1L, 0L, 0L}).view({3, 3})));
}

BOOST_AUTO_TEST_CASE(gradient_of_all_captions_is_the_closed_form) {
    const at::Tensor all = at::tensor({1L, 0L, 0L, 0L, 1L, 0L, 0L, 0L, 1L, 0L, 0L, 0L}).view({4, 3});
    const at::Tensor ends = at::softmax(two_logits(), 1).select(1, 1);
    const auto end = [&](std::int64_t t) { return ends[t].item<float>(); };
    const std::vector<float> shares = {end(0), (1 - end(0)) * end(1), (1 - end(0)) * (1 - end(1)) * end(2),
                                       (1 - end(0)) * (1 - end(1)) * (1 - end(2))};
    for (const double baseline : {0.0, 0.7}) {    // which changes nothing
        std::vector<float> factors;
        for (std::size_t s = 0; s < shares.size(); ++s)
            factors.push_back(shares[s] * static_cast<float>(two_rewards[s] - baseline));
        BOOST_TEST(worst_against_closed_form(toy_gradient(all, at::tensor(factors))) <= tolerance::policy_gradient);
    }
}

BOOST_AUTO_TEST_CASE(gradient_of_draws_is_the_closed_form_on_average) {
    constexpr std::int64_t pictures = 20000, samples = 4;
    for (const bool greedy : {false, true}) {
        SamplePlan plan{samples, greedy, two_longest + 1, {}};
        for (std::uint64_t key = 0; key < pictures * samples; ++key) plan.keys.push_back(key);
        TwoTokenModel model;
        const at::Tensor drawn = draw_samples(model, at::full({pictures, 1}, 0, at::kLong), plan, two_tokens)
                                     .view({pictures, samples + (greedy ? 1 : 0), two_longest + 1})
                                     .narrow(2, 1, two_longest)
                                     .contiguous();
        const auto* token = static_cast<const std::int64_t*>(drawn.const_data_ptr());
        std::vector<double> rewards, baselines;
        for (std::int64_t row = 0; row < drawn.size(0) * drawn.size(1); ++row, token += two_longest) {
            const auto reward = two_rewards[static_cast<std::size_t>(std::find(token, token + two_longest, 1) - token)];
            (row % drawn.size(1) == samples ? baselines : rewards).push_back(reward);
        }
        std::vector<float> factors;
        for (const double advantage : advantages(rewards, samples, baselines))
            factors.push_back(static_cast<float>(advantage / (pictures * samples)));
        const at::Tensor own = drawn.narrow(1, 0, samples).reshape({pictures * samples, two_longest});
        // a draw's part is at most 1.6: its mean over 80,000 is off by 0.006 at most in one case of 3,000
        BOOST_TEST(worst_against_closed_form(toy_gradient(own, at::tensor(factors))) <= 0.015);
    }
}

BOOST_AUTO_TEST_CASE(a_step_is_a_plain_pass_over_its_draws) { check_against_a_plain_pass(0); }

BOOST_AUTO_TEST_CASE(a_step_kept_near_its_start_is_one_with_the_divergence) { check_against_a_plain_pass(0.3); }

BOOST_AUTO_TEST_CASE(divergence_by_hand) {
    const at::Tensor logits = at::tensor({0.0F, 0.0F, 0.0F, 1.0F}).view({2, 2});
    const at::Tensor start = at::tensor({0.0F, 1.0F, 0.0F, 1.0F}).view({2, 2});
    const double q = 1 / (1 + std::exp(1.0));    // of the first token in the first row
    const at::Tensor got = divergence(logits, start);
    BOOST_TEST(std::abs(got[0].item<double>() - 0.5 * std::log(0.5 / q) - 0.5 * std::log(0.5 / (1 - q))) < 1e-6);
    BOOST_TEST(got[1].item<double>() == 0);
}

BOOST_AUTO_TEST_CASE(a_step_is_the_sum_of_its_parts) {
    for (const char* baseline : {"others", "greedy"}) {
        Training run(baseline);
        const SelfCriticalObjective objective(run.captioner, run.dataset, run.options);
        const at::Tensor images = at::randint(0, 256, {4, 3, 32, 32}, at::kByte);
        const StepFound whole = step_in_parts(run, objective, images, 4),
                        parts = step_in_parts(run, objective, images, 1);
        check_equal_steps(parts, whole);
        auto of_whole = objective.told(whole.sums), of_parts = objective.told(parts.sums);
        of_whole.erase("reward_ms");
        of_parts.erase("reward_ms");
        for (const auto& [name, value] : of_whole) BOOST_TEST(std::abs(value - of_parts.at(name)) < 1e-9, name);
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_trained_so) {
    Training run("others");
    const SelfCriticalObjective objective(run.captioner, run.dataset, run.options);
    BOOST_TEST(objective.units().count() == 4);
    BOOST_TEST(objective.units().captions_per_unit() == 3);
    BOOST_TEST(objective.signature().find("mean of the others") != std::string::npos);
    Options one = run.options;
    one.self_critical.samples_per_picture = 1;
    BOOST_TEST(SelfCriticalObjective(run.captioner, run.dataset, one).units().count() == 4);    // not the 8 captions
    run.options.generate.max_length = 4;                                                        // the prompt's
    BOOST_CHECK_THROW(SelfCriticalObjective(run.captioner, run.dataset, run.options), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}    // namespace blip::test

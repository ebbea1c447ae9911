// See self_critical.h.
#include "blip/tasks/caption/self_critical.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/nonzero.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <future>
#include <set>
#include <thread>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/base/version.h"
#include "blip/device/device.h"
#include "blip/generate/training_samples.h"
#include "blip/kernels/drop_path.h"
#include "blip/metrics/analysis.h"
#include "blip/text/caption_text.h"

namespace blip {

namespace {

// What a micro-batch adds to the step's sums.
enum Sum : std::size_t {
    of_samples,
    of_rewards,
    of_reward_squares,
    of_advantages,
    of_advantage_squares,
    of_lengths,
    of_unended,
    of_bad_endings,
    of_distinct,
    of_reward_ms,
    sum_kinds
};

// Of the images that have captions, in their order.
std::vector<std::vector<std::string_view>> references_of(const SplitTables& split, const TrainingUnits& units) {
    std::vector<std::vector<std::string_view>> references;
    for (std::int64_t unit = 0; unit < units.count(); ++unit) {
        const auto [first, end] = caption_rows(split, units.image(unit));
        auto& own = references.emplace_back();
        for (std::int64_t caption = first; caption < end; ++caption) own.push_back(split.text(caption));
    }
    return references;
}

// By image: its place among those.
std::vector<std::size_t> places_of_images(const SplitTables& split, const TrainingUnits& units) {
    std::vector<std::size_t> places(static_cast<std::size_t>(split.image_count()), 0);
    for (std::int64_t unit = 0; unit < units.count(); ++unit)
        places[static_cast<std::size_t>(units.image(unit))] = static_cast<std::size_t>(unit);
    return places;
}

std::vector<std::int64_t> prompt_of(const WordPieceTokenizer& tokenizer, const std::string& prompt,
                                    std::int64_t longest) {
    const std::vector<TokenId> tokens = prompt_tokens(tokenizer, prompt);
    if (static_cast<std::int64_t>(tokens.size()) >= longest)
        throw Error(ExitCode::usage,
                    "--max-length {} leaves no token to draw behind the packed file's prompt '{}' of {} tokens; {} or "
                    "more would",
                    longest, prompt, tokens.size(), tokens.size() + 1);
    return {tokens.begin(), tokens.end()};
}

double spread(double sum, double squares, double count) {
    return std::sqrt(std::max(0.0, squares / count - sum / count * sum / count));
}

}    // namespace

std::vector<double> advantages(const std::vector<double>& rewards_C, std::int64_t samples_per_picture,
                               const std::vector<double>& baselines_I) {
    const auto of_one = static_cast<std::size_t>(samples_per_picture);
    if (of_one < 2 && baselines_I.empty())
        throw Error(ExitCode::internal, "one sample of a picture has no others to be compared with");
    std::vector<double> result;
    for (std::size_t first = 0; first < rewards_C.size(); first += of_one) {
        double sum = 0;
        for (std::size_t c = first; c < first + of_one; ++c) sum += rewards_C[c];
        for (std::size_t c = first; c < first + of_one; ++c)
            result.push_back(rewards_C[c] - (baselines_I.empty()
                                                 ? (sum - rewards_C[c]) / static_cast<double>(of_one - 1)
                                                 : baselines_I[first / of_one]));
    }
    return result;
}

at::Tensor counted_tokens(const at::Tensor& drawn_CG, std::int64_t end_token) {
    const at::Tensor ends_CG = drawn_CG.eq(end_token).to(at::kLong);
    return (ends_CG.cumsum(1) - ends_CG).eq(0);
}

at::Tensor policy_loss(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& factors) {
    const at::Tensor costs = at::cross_entropy_loss(logits.flatten(0, -2), targets.flatten(), {}, at::Reduction::None);
    return (costs * factors.flatten()).sum();
}

at::Tensor divergence(const at::Tensor& logits, const at::Tensor& start_logits) {
    const at::Tensor log_p = logits.log_softmax(-1), log_q = start_logits.log_softmax(-1);
    return (log_p.exp() * (log_p - log_q)).sum(-1);
}

// Rows as they were drawn, greedy ones among them, on the host once the device is there.
struct SelfCriticalObjective::Drawn {
    at::Tensor tokens_RL;
    DevicePoint copied;

    explicit Drawn(const at::Tensor& drawn_RL)
        : tokens_RL(staging_tensor(drawn_RL.sizes(), at::kLong, drawn_RL.device())), copied(drawn_RL.device()) {
        tokens_RL.copy_(drawn_RL, /*non_blocking=*/true);
        copied.record();
    }
};

struct SelfCriticalObjective::Judged {
    std::vector<double> advantages_C;
    std::array<double, sum_kinds> sums{};
};

SelfCriticalObjective::SelfCriticalObjective(const Captioner& captioner, const PackedDataset& dataset,
                                             const Options& options, const Weights* start,
                                             const DocumentFrequencies* frequencies)
    : captioner_(captioner),
      split_(dataset.split("train")),
      loss_(options.loss),
      options_(options.self_critical),
      units_(split_, options.self_critical.samples_per_picture, options.train.seed, /*whole_pictures=*/true),
      recomputed_blocks_(options.train.recomputed_blocks()),
      frozen_vision_(options.train.freeze == "vision"),
      longest_(options.generate.max_length),
      vocabulary_(Vocabulary::from_text(dataset.vocabulary_text(), dataset.path().string())),
      tokenizer_(vocabulary_),
      prompt_(dataset.prompt()),
      prompt_tokens_(prompt_of(tokenizer_, prompt_, longest_)),
      place_of_image_(places_of_images(split_, units_)),
      reward_(references_of(split_, units_), {options.self_critical.cider, options.self_critical.bleu4},
              std::max(1, options.runtime.threads), frequencies),
      start_(start) {}

double SelfCriticalObjective::flops(const std::vector<std::int64_t>& captions) const {
    double tokens = 0, known = 0;
    for (const std::int64_t caption : captions) {
        if (caption == no_caption) continue;
        tokens += std::min<double>(split_.lengths_C[static_cast<std::size_t>(caption)], static_cast<double>(longest_));
        ++known;
    }
    const int length = static_cast<int>(std::lround(tokens / std::max(known, 1.0)));
    const int drawn = std::max(1, length - static_cast<int>(prompt_tokens_.size()));
    const auto count = static_cast<int>(captions.size());
    const std::vector<int> lengths(captions.size(), length);
    const double forward = captioner_.forward_flops(lengths, count * drawn);
    // the captions are drawn from the encoder's one run; --kl has a pass of the start's model
    return captioner_.training_flops(lengths, count * drawn, frozen_vision_) + forward -
           captioner_.forward_flops({}, 0) + (start_ != nullptr ? forward : 0);
}

at::Tensor SelfCriticalObjective::draw(const Weights& weights, const at::Tensor& image_embeds_INW,
                                       std::int64_t first_picture, const StepShare& step) const {
    const std::int64_t pictures = image_embeds_INW.size(0);
    SamplePlan plan{options_.samples_per_picture, options_.baseline == "greedy", longest_, {}};
    for (std::int64_t i = 0; i < pictures; ++i)
        for (std::int64_t n = 0; n < plan.samples; ++n)
            plan.keys.push_back(
                random_key(step.seed, RandomPurpose::self_critical_sampling,
                           {static_cast<std::uint64_t>(step.step), static_cast<std::uint64_t>(first_picture + i),
                            static_cast<std::uint64_t>(n)}));
    const c10::AutoGradMode no_gradients(false);
    CaptionModel model(captioner_.text(), weights, image_embeds_INW.detach(), {});
    const at::Tensor prompt_1P =
        to_device(prompt_tokens_, {1, static_cast<std::int64_t>(prompt_tokens_.size())}, image_embeds_INW.device());
    return draw_samples(model, prompt_1P.expand({pictures, -1}), plan);
}

SelfCriticalObjective::Judged SelfCriticalObjective::judge(const Drawn& drawn,
                                                           const std::vector<std::int64_t>& image_rows) const {
    while (!drawn.copied.reached()) std::this_thread::sleep_for(std::chrono::microseconds(20));
    const auto start = std::chrono::steady_clock::now();
    const auto samples = static_cast<std::size_t>(options_.samples_per_picture);
    const std::size_t of_one = samples + (options_.baseline == "greedy" ? 1 : 0);
    const auto width = static_cast<std::size_t>(drawn.tokens_RL.size(1));
    const auto* row = static_cast<const std::int64_t*>(drawn.tokens_RL.const_data_ptr());
    Judged judged;
    std::vector<double> rewards, greedy;
    for (const std::int64_t image : image_rows) {
        std::set<std::vector<TokenId>> distinct;
        for (std::size_t n = 0; n < of_one; ++n, row += width) {
            const std::int64_t* end = std::find(row + prompt_tokens_.size(), row + width, SpecialTokens::sep);
            const std::vector<TokenId> tokens(row, end);
            const std::string text = decode_caption(tokenizer_, tokens, prompt_);
            const bool ended = end != row + width;
            const double reward = reward_(text, ended, place_of_image_[static_cast<std::size_t>(image)]);
            if (n == samples) {
                greedy.push_back(reward);
                continue;
            }
            rewards.push_back(reward);
            distinct.insert(tokens);
            judged.sums[of_samples] += 1;
            judged.sums[of_rewards] += reward;
            judged.sums[of_reward_squares] += reward * reward;
            judged.sums[of_lengths] += static_cast<double>(tokens.size() - prompt_tokens_.size());
            judged.sums[of_unended] += ended ? 0 : 1;
            judged.sums[of_bad_endings] += is_bad_ending(CaptionReward::words(text)) ? 1 : 0;
        }
        judged.sums[of_distinct] += static_cast<double>(distinct.size());
    }
    judged.advantages_C = advantages(rewards, options_.samples_per_picture, greedy);
    for (const double advantage : judged.advantages_C) {
        judged.sums[of_advantages] += advantage;
        judged.sums[of_advantage_squares] += advantage * advantage;
    }
    judged.sums[of_reward_ms] =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    return judged;
}

at::Tensor SelfCriticalObjective::loss(const Weights& weights, const FedBatch& fed, const StepShare& step) const {
    const std::int64_t pictures = fed.images_I3SS.size(0), samples = options_.samples_per_picture;
    const std::int64_t first = fed.batch.request.tag, prompt = static_cast<std::int64_t>(prompt_tokens_.size());
    const c10::Device device = fed.images_I3SS.device();
    const auto key = [&](RandomPurpose purpose) {
        return random_key(step.seed, purpose, {static_cast<std::uint64_t>(step.step)});
    };
    const at::Tensor branch_scales = drop_path_scales(captioner_.options().vision_depth, pictures, loss_.drop_path,
                                                      key(RandomPurpose::drop_path), first / samples, device);
    // one run of the encoder for drawing and training
    const at::Tensor embeds_INW =
        captioner_.vision().forward(weights, fed.images_I3SS, branch_scales, recomputed_blocks_);
    const at::Tensor drawn_RL = draw(weights, embeds_INW, first / samples, step);
    const Drawn on_host(drawn_RL);
    std::future<Judged> judging =
        std::async(std::launch::async, [&] { return judge(on_host, fed.batch.request.images); });

    // beside the rewards
    const std::int64_t width = drawn_RL.size(1), drawn = width - prompt;
    const at::Tensor own_CL =
        drawn_RL.view({pictures, -1, width}).narrow(1, 0, samples).reshape({pictures * samples, width});
    const at::Tensor drawn_CG = own_CL.narrow(1, prompt, drawn);
    const at::Tensor counted_CG = counted_tokens(drawn_CG, SpecialTokens::sep);
    // On a GPU the host does not know which tokens count before they are drawn: all are computed there.
    const at::Tensor places = device.is_cpu() ? at::nonzero(counted_CG.flatten()).flatten() : at::Tensor();
    const auto counted = [&](const at::Tensor& rows) { return places.defined() ? rows.index_select(0, places) : rows; };
    const auto logits_of = [&](const Weights& of, const at::Tensor& image_embeds_INW, DropoutMasks dropout) {
        const at::Tensor hidden_CTH =
            captioner_.text().forward(of, own_CL.narrow(1, 0, width - 1).contiguous(), image_embeds_INW, dropout);
        return captioner_.text().head_in_fp32(
            of, counted(hidden_CTH.narrow(1, prompt - 1, drawn).reshape({-1, hidden_CTH.size(2)})));
    };
    const at::Tensor logits = logits_of(weights, embeds_INW, {loss_.dropout, key(RandomPurpose::dropout), first});
    at::Tensor start_logits;
    if (start_ != nullptr) {
        const c10::AutoGradMode no_gradients(false);
        start_logits =
            logits_of(*start_, captioner_.vision().forward(*start_, fed.images_I3SS, {}, 0), DropoutMasks::none());
    }

    const Judged judged = judging.get();
    for (std::size_t i = 0; i < step.sums.size(); ++i) step.sums[i] += judged.sums[i];
    const at::Tensor advantages_C = staging_tensor({pictures * samples}, at::kFloat, device);
    std::transform(judged.advantages_C.begin(), judged.advantages_C.end(),
                   static_cast<float*>(advantages_C.mutable_data_ptr()),
                   [&](double advantage) { return static_cast<float>(advantage / step.weight); });
    const at::Tensor factors_CG = counted_CG.to(at::kFloat) * to_device(advantages_C, device).unsqueeze(1);
    const at::Tensor loss = policy_loss(logits, counted(drawn_CG.flatten()), counted(factors_CG.flatten()));
    if (!start_logits.defined()) return loss;
    const at::Tensor divergence_sum = (divergence(logits, start_logits) * counted(counted_CG.flatten())).sum();
    step.device_sums.add_(divergence_sum.detach());
    return loss + divergence_sum * (options_.kl / step.weight);
}

std::size_t SelfCriticalObjective::sum_count() const { return sum_kinds; }
std::size_t SelfCriticalObjective::device_sum_count() const { return start_ != nullptr ? 1 : 0; }

std::map<std::string, double> SelfCriticalObjective::told(std::span<const double> sums) const {
    const double count = std::max(1.0, sums[of_samples]);
    std::map<std::string, double> told{
        {"reward", sums[of_rewards] / count},
        {"reward_spread", spread(sums[of_rewards], sums[of_reward_squares], count)},
        {"advantage_spread", spread(sums[of_advantages], sums[of_advantage_squares], count)},
        {"sample_length", sums[of_lengths] / count},
        {"without_end", sums[of_unended] / count},
        {"bad_endings", sums[of_bad_endings] / count},
        {"distinct_captions", sums[of_distinct] / count},
        {"reward_ms", sums[of_reward_ms]}};
    if (start_ != nullptr) told["kl"] = sums[sum_kinds] / count;
    return told;
}

std::string SelfCriticalObjective::signature() const {
    return fmt::format(
        "self-critical, {} multinomial samples at temperature 1 of at most {} tokens, baseline {}, {}{}, "
        "blip_mpi {}",
        options_.samples_per_picture, longest_, options_.baseline == "others" ? "mean of the others" : "greedy",
        reward_.signature(), start_ == nullptr ? "" : fmt::format(", kl {}", options_.kl), program_version);
}

}    // namespace blip

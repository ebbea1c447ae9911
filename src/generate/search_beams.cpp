// See searches.h. Rules: reference BLIP's generation (beam scorer of Hugging Face transformers
// 4.15), section 'Generation' of the recipe: log-softmax, penalties, 2 * beams candidates, hypotheses kept by
// sum / length ** penalty; with --search transformers those of its present version. What is decided for each image
// stands in choose_kernel.h.
#include "src/generate/searches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <optional>
#include <thread>

#include "blip/device/device.h"
#include "src/generate/choose_kernel.h"

namespace blip {

namespace {

template <class Value>
Value* data(const at::Tensor& tensor) {
    return static_cast<Value*>(tensor.mutable_data_ptr());
}

// Whether all is done, as it was `lag` calls ago.
class LateFlag {
  public:
    LateFlag(c10::Device device, std::size_t lag) : device_(device), lag_(lag) {}

    // now: bool on the device.
    bool tell(const at::Tensor& now) {
        Told& newest = told_.emplace_back(Told{staging_tensor({}, at::kBool, device_), DevicePoint(device_)});
        newest.host.copy_(now, /*non_blocking=*/true);
        newest.copied.record();
        if (told_.size() <= lag_) return false;
        // A whole token's work is queued behind the point, so that a nap costs the device nothing.
        while (!told_.front().copied.reached()) std::this_thread::sleep_for(std::chrono::microseconds(20));
        const bool then = *static_cast<const bool*>(told_.front().host.const_data_ptr());
        told_.pop_front();
        return then;
    }

  private:
    struct Told {
        at::Tensor host;
        DevicePoint copied;
    };
    c10::Device device_;
    std::size_t lag_;
    std::deque<Told> told_;
};

// Tensors behind RunningBeams.
struct Running {
    at::Tensor tokens_RL, scores_R, own_R;

    Running(std::int64_t rows, std::int64_t longest, c10::Device device)
        : tokens_RL(at::zeros({rows, longest}, at::device(device).dtype(at::kLong))),
          scores_R(at::zeros({rows}, at::device(device).dtype(at::kFloat))),
          own_R(at::zeros({rows}, at::device(device).dtype(at::kDouble))) {}
    RunningBeams pointers() const {
        return {data<std::int64_t>(tokens_RL), data<float>(scores_R), data<double>(own_R)};
    }
};

// Tensors behind FinishedBeams.
struct Finished {
    at::Tensor tokens_IKL, scores_IK, own_IK, lengths_IK, order_IK, count_I, powers_L;

    Finished(std::int64_t images, std::int64_t prompt, std::int64_t longest, const GenerateOptions& options,
             c10::Device device)
        : tokens_IKL(at::zeros({images, options.num_beams, longest}, at::device(device).dtype(at::kLong))),
          scores_IK(at::zeros({images, options.num_beams}, at::device(device).dtype(at::kDouble))),
          own_IK(at::zeros_like(scores_IK)),
          lengths_IK(at::zeros(scores_IK.sizes(), at::device(device).dtype(at::kLong))),
          order_IK(at::zeros_like(lengths_IK)),
          count_I(at::zeros({images}, at::device(device).dtype(at::kLong))) {
        const at::Tensor powers = staging_tensor({longest + 1}, at::kDouble, device);
        for (std::int64_t length = 0; length <= longest; ++length) {
            // transformers counts generated tokens, the end token too; a sequence of the longest length has none
            const std::int64_t counted = options.as_transformers() ? std::min(length + 1, longest) - prompt : length;
            data<double>(powers)[length] = std::pow(static_cast<double>(counted), options.length_penalty);
        }
        powers_L = to_device(powers, device);
    }
    FinishedBeams pointers() const {
        return {data<std::int64_t>(tokens_IKL), data<double>(scores_IK),      data<double>(own_IK),
                data<std::int64_t>(lengths_IK), data<std::int64_t>(order_IK), data<std::int64_t>(count_I),
                data<double>(powers_L),         tokens_IKL.size(1),           tokens_IKL.size(2)};
    }
    void to_host() {
        for (at::Tensor* tensor : {&tokens_IKL, &scores_IK, &own_IK, &lengths_IK, &order_IK, &count_I, &powers_L})
            *tensor = tensor->cpu();
    }
};

// The running beams of all images and what they have finished. All of it stays on the device until results().
class BeamSearch {
  public:
    BeamSearch(const at::Tensor& prompts_BP, const GenerateOptions& options, const SearchTokens& special,
               c10::Device device)
        : options_(options),
          special_(special),
          images_(prompts_BP.size(0)),
          length_(prompts_BP.size(1)),
          now_(images_ * options.num_beams, room(length_, options), device),
          next_(images_ * options.num_beams, room(length_, options), device),
          finished_(images_, length_, room(length_, options), options, device),
          done_I_(at::zeros({images_}, at::device(device).dtype(at::kBool))),
          tokens_R_(at::empty({now_.scores_R.size(0)}, at::device(device).dtype(at::kLong))),
          parents_R_(at::empty_like(tokens_R_)) {
        now_.tokens_RL.view({images_, options.num_beams, -1})
            .narrow(2, 0, length_)
            .copy_(to_device(prompts_BP, device).unsqueeze(1));
        // All beams are the same at first: only one may be chosen from.
        const at::Tensor scores_IK = now_.scores_R.view({images_, options.num_beams});
        scores_IK.narrow(1, 1, options.num_beams - 1).fill_(-1e9F);
    }

    // What sequences can come to: one token follows even the longest prompt.
    static std::int64_t room(std::int64_t prompt, const GenerateOptions& options) {
        return std::max<std::int64_t>(options.max_length, prompt + 1);
    }

    // Chooses the next tokens from logits [R, V].
    void step(const at::Tensor& logits_RV) {
        const std::int64_t vocabulary = logits_RV.size(1);
        const at::Tensor log_p = at::log_softmax(logits_RV, -1).contiguous();    // the model's own
        const bool penalised = options_.penalty() != 1.0, too_short = length_ < options_.min_length;
        const at::Tensor scores = penalised || too_short ? log_p.clone() : log_p;
        if (penalised) {
            // A token that stands in a row several times is written several times, with the same value.
            const at::Tensor used = now_.tokens_RL.narrow(1, 0, length_);
            scores.scatter_(1, used, scores.gather(1, used) * static_cast<float>(options_.penalty()));
        }
        if (too_short) scores.select(1, special_.end).fill_(-std::numeric_limits<float>::infinity());
        const at::Tensor sums = scores + now_.scores_R.unsqueeze(1);
        const auto [values, places] = at::topk(sums.view({images_, -1}), 2 * options_.num_beams, -1, true, true);
        choose(values.contiguous(), log_p.view({images_, -1}).gather(1, places).contiguous(), places.contiguous(),
               vocabulary);
        std::swap(now_, next_);
        ++length_;
    }

    bool full_length() const { return length_ >= options_.max_length; }
    at::Tensor all_done() const { return done_I_.all(); }
    // Of the last step; valid until the next one.
    const at::Tensor& tokens() const { return tokens_R_; }
    const at::Tensor& parents() const { return parents_R_; }

    // num_captions for each prompt, best first. The search is over.
    std::vector<Generated> results() {
        finished_.to_host();
        const at::Tensor done = done_I_.cpu(), tokens = now_.tokens_RL.cpu(), scores = now_.scores_R.cpu(),
                         own = now_.own_R.cpu();
        const FinishedBeams finished = finished_.pointers();
        std::vector<Generated> results;
        for (std::int64_t image = 0; image < images_; ++image) {
            for (std::int64_t row = image * finished.beams; row < (image + 1) * finished.beams; ++row)
                if (!data<bool>(done)[image])
                    finished.add(image, data<std::int64_t>(tokens) + row * finished.longest, length_,
                                 data<float>(scores)[row], data<double>(own)[row]);
            for (const std::int64_t slot : best_first(finished, image)) {
                const std::int64_t* first = finished.tokens_IKL + slot * finished.longest;
                results.push_back({{first, first + finished.lengths_IK[slot]}, finished.own_IK[slot]});
                if (finished.lengths_IK[slot] < options_.max_length) results.back().tokens.push_back(special_.end);
            }
        }
        return results;
    }

  private:
    void choose(const at::Tensor& best_IC, const at::Tensor& own_IC, const at::Tensor& where_IC,
                std::int64_t vocabulary) const {
        const ChooseBody body{static_cast<const float*>(best_IC.const_data_ptr()),
                              static_cast<const float*>(own_IC.const_data_ptr()),
                              static_cast<const std::int64_t*>(where_IC.const_data_ptr()),
                              now_.pointers(),
                              next_.pointers(),
                              finished_.pointers(),
                              data<bool>(done_I_),
                              data<std::int64_t>(tokens_R_),
                              data<std::int64_t>(parents_R_),
                              images_,
                              vocabulary,
                              length_,
                              special_.end,
                              special_.pad,
                              options_.as_transformers()};
        if (!best_IC.is_cpu()) {
            launch_choose(body, compute_stream(best_IC.device()));
            return;
        }
        for (std::int64_t image = 0; image < images_; ++image) body(image);
    }

    // The slots of an image's num_captions best; ties favour the later added.
    std::vector<std::int64_t> best_first(const FinishedBeams& finished, std::int64_t image) const {
        const std::int64_t* order = finished.order_IK + image * finished.beams;
        std::vector<std::int64_t> slots;
        for (std::int64_t i = finished.count_I[image]; i-- > 0;) slots.push_back(image * finished.beams + order[i]);
        std::stable_sort(slots.begin(), slots.end(),
                         [&](std::int64_t a, std::int64_t b) { return finished.scores_IK[a] > finished.scores_IK[b]; });
        slots.resize(std::min(slots.size(), static_cast<std::size_t>(options_.num_captions)));
        return slots;
    }

    const GenerateOptions& options_;
    SearchTokens special_;
    std::int64_t images_, length_;
    Running now_, next_;
    Finished finished_;
    at::Tensor done_I_, tokens_R_, parents_R_;
};

}    // namespace

std::vector<Generated> search_beams(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                                    const SearchTokens& special, std::optional<std::size_t> lag) {
    model.expect_length(BeamSearch::room(prompts_BP.size(1), options));
    at::Tensor logits = model.start(prompts_BP).repeat_interleave(options.num_beams, 0);
    BeamSearch search(prompts_BP, options, special, logits.device());
    LateFlag all_done(logits.device(), lag.value_or(logits.is_cpu() ? 0 : 1));
    for (bool first = true;; first = false) {
        search.step(logits);
        if (search.full_length() || all_done.tell(search.all_done())) return search.results();
        // The model has one row for each image until the first choice; rows of the search are beams.
        logits =
            model.advance(search.tokens(), first ? search.parents().div(options.num_beams, "floor") : search.parents());
    }
}

}    // namespace blip

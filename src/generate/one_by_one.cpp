// See searches.h. Rules: reference BLIP's generation (Hugging Face transformers 4.15, greedy_search and sample).
#include "src/generate/searches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "blip/device/device.h"

namespace blip {

namespace {

using Sequence = std::vector<std::int64_t>;

// Rows of prompts [B, P].
std::vector<Sequence> prompt_rows(const at::Tensor& prompts_BP) {
    const at::Tensor prompts = prompts_BP.cpu().contiguous();
    const auto* data = static_cast<const std::int64_t*>(prompts.const_data_ptr());
    std::vector<Sequence> rows;
    for (std::int64_t b = 0; b < prompts.size(0); ++b)
        rows.emplace_back(data + b * prompts.size(1), data + (b + 1) * prompts.size(1));
    return rows;
}

// The captions in work, all of the same length; `rows_of_one` of each prompt.
class Captions {
  public:
    Captions(const at::Tensor& prompts_BP, const GenerateOptions& options, const SearchTokens& special,
             const DrawKeys& keys)
        : options_(options), special_(special), keys_(keys), rows_of_one_(options.sample ? options.num_captions : 1) {
        for (const Sequence& prompt : prompt_rows(prompts_BP)) rows_.insert(rows_.end(), rows_of_one(), prompt);
        results_.resize(rows_.size());
        done_.resize(rows_.size(), false);
    }

    // Chooses each row's next token from logits [R, V]; false when all are done.
    bool step(NextTokenModel& model, const at::Tensor& logits_RV) {
        next_ = choose(model, adjusted_logits(logits_RV, rows_, options_, special_.end));
        // The model's own probability: without penalties and filters.
        const at::Tensor chosen = to_device(next_, {static_cast<std::int64_t>(next_.size()), 1}, logits_RV.device());
        const at::Tensor log_p = at::log_softmax(logits_RV, -1).gather(1, chosen).cpu();
        const auto* own = static_cast<const float*>(log_p.const_data_ptr());
        for (std::size_t r = 0; r < rows_.size(); ++r) {
            if (done_[r]) next_[r] = special_.pad;
            rows_[r].push_back(next_[r]);
            if (done_[r]) continue;
            results_[r].log_probability += own[r];
            results_[r].tokens = rows_[r];
            done_[r] = next_[r] == special_.end;
        }
        const bool all_done = std::all_of(done_.begin(), done_.end(), [](bool d) { return d; });
        return !all_done && rows_.front().size() < static_cast<std::size_t>(options_.max_length);
    }

    std::size_t rows_of_one() const { return static_cast<std::size_t>(rows_of_one_); }
    std::size_t count() const { return rows_.size(); }
    const std::vector<std::int64_t>& next() const { return next_; }
    std::vector<Generated> results() { return std::move(results_); }

  private:
    std::vector<std::int64_t> choose(NextTokenModel& model, const at::Tensor& adjusted_RV) const {
        if (!options_.sample) {
            const at::Tensor best = at::argmax(adjusted_RV, -1).cpu();
            const auto* tokens = static_cast<const std::int64_t*>(best.const_data_ptr());
            return {tokens, tokens + rows_.size()};
        }
        std::vector<double> uniforms(rows_.size());
        for (std::size_t r = 0; r < rows_.size(); ++r)
            uniforms[r] =
                draw_uniform(keys_.seed, keys_.pictures.at(r / rows_of_one()), r % rows_of_one(), rows_.front().size());
        const std::vector<Draw> draws = draw_tokens(adjusted_RV, options_, uniforms, model.rounding());
        std::vector<std::int64_t> tokens;
        for (std::size_t r = 0; r < rows_.size(); ++r)
            tokens.push_back(draws[r].close && !done_[r] ? draw_alone(model, r, uniforms[r]) : draws[r].token);
        return tokens;
    }

    // The batch's rounding could decide this draw: it is made anew from logits that do not depend on the batch.
    std::int64_t draw_alone(NextTokenModel& model, std::size_t row, double uniform) const {
        const at::Tensor logits = model.alone(static_cast<std::int64_t>(row / rows_of_one()), rows_[row]);
        return draw_tokens(adjusted_logits(logits, {rows_[row]}, options_, special_.end), options_, {uniform})
            .front()
            .token;
    }

    const GenerateOptions& options_;
    SearchTokens special_;
    const DrawKeys& keys_;
    int rows_of_one_;
    std::vector<Sequence> rows_;
    std::vector<std::int64_t> next_;
    std::vector<bool> done_;
    std::vector<Generated> results_;
};

}    // namespace

std::vector<Generated> generate_one_by_one(NextTokenModel& model, const at::Tensor& prompts_BP,
                                           const GenerateOptions& options, const SearchTokens& special,
                                           const DrawKeys& keys) {
    Captions captions(prompts_BP, options, special, keys);
    const auto of_one = static_cast<std::int64_t>(captions.rows_of_one());
    const at::Tensor same_rows = at::arange(static_cast<std::int64_t>(captions.count()));
    model.expect_length(std::max<std::int64_t>(options.max_length, prompts_BP.size(1) + 1));
    // The model has one row for each prompt until the first choice.
    at::Tensor parents = same_rows.div(of_one, "floor"), logits = model.start(prompts_BP).repeat_interleave(of_one, 0);
    while (captions.step(model, logits)) {
        logits = model.advance(at::tensor(captions.next()), parents);
        parents = same_rows;
    }
    return captions.results();
}

}    // namespace blip

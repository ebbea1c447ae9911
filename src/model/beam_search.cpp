// See beam_search.h. Rules: reference BLIP's generation (beam scorer of Hugging Face transformers 4.15), section
// 'Generation' of the recipe: log-softmax, penalties, 2 * beams candidates, hypotheses kept by sum / length ** penalty.
#include "blip/model/beam_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "blip/kernels/device.h"

namespace blip {

namespace {

using Sequence = std::vector<std::int64_t>;
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

struct Hypothesis {
    double score = 0;    // sum / length ** penalty
    double sum = 0;
    Sequence tokens;    // without the end token
};

// The best finished sequences of one image.
class Hypotheses {
  public:
    Hypotheses(int capacity, double length_penalty) : capacity_(capacity), length_penalty_(length_penalty) {}

    void add(const Sequence& tokens, double sum) {
        const double score = sum / std::pow(static_cast<double>(tokens.size()), length_penalty_);
        if (full() && score <= worst()) return;
        kept_.push_back({score, sum, tokens});
        // The first of equal worst ones goes.
        if (kept_.size() > static_cast<std::size_t>(capacity_)) kept_.erase(worst_place());
    }
    // No running beam can do better. length: before the next token is appended.
    bool complete(double best_running_sum, std::size_t length) const {
        return full() && worst() >= best_running_sum / std::pow(static_cast<double>(length), length_penalty_);
    }
    // Ties favour the later added.
    const Hypothesis& best() const {
        auto found = kept_.begin();
        for (auto it = kept_.begin(); it != kept_.end(); ++it)
            if (it->score >= found->score) found = it;
        return *found;
    }

  private:
    bool full() const { return kept_.size() >= static_cast<std::size_t>(capacity_); }
    std::vector<Hypothesis>::const_iterator worst_place() const {
        return std::min_element(kept_.begin(), kept_.end(),
                                [](const Hypothesis& a, const Hypothesis& b) { return a.score < b.score; });
    }
    double worst() const { return worst_place()->score; }

    int capacity_;
    double length_penalty_;
    std::vector<Hypothesis> kept_;
};

at::Tensor on_device_of(const at::Tensor& like, const std::vector<std::int64_t>& values) {
    return to_device(values, {static_cast<std::int64_t>(values.size())}, like.device());
}

// Each row's distinct tokens, in place: log-probabilities (beam search) are multiplied; logits (greedy search) are
// divided where positive and multiplied where negative.
void penalise_repetition(const at::Tensor& table_RV, const std::vector<Sequence>& rows, double penalty, bool logits) {
    if (penalty == 1.0) return;
    std::vector<std::int64_t> places;
    for (std::size_t r = 0; r < rows.size(); ++r)
        for (std::int64_t token : std::set<std::int64_t>(rows[r].begin(), rows[r].end()))
            places.push_back(static_cast<std::int64_t>(r) * table_RV.size(1) + token);
    const at::Tensor where = on_device_of(table_RV, places), flat = table_RV.view(-1);
    const at::Tensor old = flat.index_select(0, where);
    const auto factor = static_cast<float>(penalty);
    flat.index_copy_(0, where, logits ? at::where(old > 0, old / factor, old * factor) : old * factor);
}

std::vector<Sequence> prompt_rows(const at::Tensor& prompts_BP) {
    const at::Tensor prompts = prompts_BP.contiguous();
    const auto* data = static_cast<const std::int64_t*>(prompts.const_data_ptr());
    std::vector<Sequence> rows;
    for (std::int64_t b = 0; b < prompts.size(0); ++b)
        rows.emplace_back(data + b * prompts.size(1), data + (b + 1) * prompts.size(1));
    return rows;
}

template <class Value>
const Value* row_of(const at::Tensor& table_RK, std::size_t row) {
    return static_cast<const Value*>(table_RK.const_data_ptr()) + static_cast<std::int64_t>(row) * table_RK.size(1);
}

std::vector<Generated> greedy(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                              const SearchTokens& special) {
    std::vector<Sequence> rows = prompt_rows(prompts_BP);
    std::vector<Generated> results(rows.size());
    std::vector<bool> done(rows.size(), false);
    std::vector<std::int64_t> parents(rows.size());
    for (std::size_t i = 0; i < parents.size(); ++i) parents[i] = static_cast<std::int64_t>(i);
    const at::Tensor same_rows = at::tensor(parents);
    at::Tensor logits = model.start(prompts_BP);
    while (true) {
        logits = logits.contiguous().clone();
        penalise_repetition(logits, rows, options.penalty(), true);
        if (rows.front().size() < static_cast<std::size_t>(options.min_length))
            logits.select(1, special.end).fill_(minus_infinity);
        const at::Tensor best = at::argmax(logits, -1, /*keepdim=*/true);
        const at::Tensor log_p = at::log_softmax(logits, -1).gather(1, best).cpu(), chosen = best.cpu();
        std::vector<std::int64_t> next(rows.size(), special.pad);
        for (std::size_t b = 0; b < rows.size(); ++b) {
            if (!done[b]) {
                next[b] = *row_of<std::int64_t>(chosen, b);
                results[b].log_probability += *row_of<float>(log_p, b);
                results[b].tokens = rows[b];
                results[b].tokens.push_back(next[b]);
            }
            rows[b].push_back(next[b]);
            done[b] = done[b] || next[b] == special.end;
        }
        const bool all_done = std::all_of(done.begin(), done.end(), [](bool d) { return d; });
        if (all_done || rows.front().size() >= static_cast<std::size_t>(options.max_length)) return results;
        logits = model.advance(at::tensor(next), same_rows);
    }
}

// The running beams of all images and what they have finished.
class BeamSearch {
  public:
    BeamSearch(const at::Tensor& prompts_BP, const GenerateOptions& options, const SearchTokens& special)
        : options_(options),
          special_(special),
          beams_(static_cast<std::size_t>(options.num_beams)),
          images_(static_cast<std::size_t>(prompts_BP.size(0))),
          done_(images_, false),
          finished_(images_, Hypotheses(options.num_beams, options.length_penalty)) {
        for (const Sequence& prompt : prompt_rows(prompts_BP)) {
            for (std::size_t k = 0; k < beams_; ++k) {
                rows_.push_back(prompt);
                // All beams are the same at first: only one may be chosen from.
                scores_.push_back(k == 0 ? 0.0F : -1e9F);
            }
        }
        next_.resize(rows_.size());
        parents_.resize(rows_.size());
    }

    // Chooses the next tokens from logits [R, V]; returns false when every image is done.
    bool step(const at::Tensor& logits_RV) {
        const std::size_t length = rows_.front().size();
        const std::int64_t vocabulary = logits_RV.size(1);
        const at::Tensor scores = at::log_softmax(logits_RV, -1).contiguous();
        penalise_repetition(scores, rows_, options_.penalty(), false);
        if (length < static_cast<std::size_t>(options_.min_length))
            scores.select(1, special_.end).fill_(minus_infinity);
        const at::Tensor so_far =
            staging_tensor({static_cast<std::int64_t>(scores_.size()), 1}, at::kFloat, scores.device());
        std::copy(scores_.begin(), scores_.end(), static_cast<float*>(so_far.data_ptr()));
        scores.add_(to_device(so_far, scores.device()));
        const auto [values, places] = at::topk(scores.view({static_cast<std::int64_t>(images_), -1}),
                                               static_cast<std::int64_t>(2 * beams_), -1, true, true);
        const at::Tensor best = values.cpu(), where = places.cpu();
        for (std::size_t b = 0; b < images_; ++b)
            choose(b, row_of<float>(best, b), row_of<std::int64_t>(where, b), vocabulary);
        std::vector<Sequence> grown;
        for (std::size_t r = 0; r < rows_.size(); ++r) {
            grown.push_back(rows_[static_cast<std::size_t>(parents_[r])]);
            grown.back().push_back(next_[r]);
        }
        rows_ = std::move(grown);
        return !std::all_of(done_.begin(), done_.end(), [](bool d) { return d; });
    }

    bool full_length() const { return rows_.front().size() >= static_cast<std::size_t>(options_.max_length); }
    const std::vector<std::int64_t>& next() const { return next_; }
    const std::vector<std::int64_t>& parents() const { return parents_; }

    std::vector<Generated> results() {
        std::vector<Generated> results;
        for (std::size_t b = 0; b < images_; ++b) {
            if (!done_[b])
                for (std::size_t k = 0; k < beams_; ++k)
                    finished_[b].add(rows_[b * beams_ + k], scores_[b * beams_ + k]);
            const Hypothesis& best = finished_[b].best();
            results.push_back({best.tokens, best.sum});
            if (best.tokens.size() < static_cast<std::size_t>(options_.max_length))
                results.back().tokens.push_back(special_.end);
        }
        return results;
    }

  private:
    // Walks the candidates of image b by rank.
    void choose(std::size_t b, const float* best, const std::int64_t* where, std::int64_t vocabulary) {
        std::size_t filled = 0;
        const auto keep = [&](float score, std::int64_t token, std::int64_t parent) {
            const std::size_t r = b * beams_ + filled++;
            new_scores_.resize(rows_.size());
            new_scores_[r] = score;
            next_[r] = token;
            parents_[r] = parent;
        };
        const auto first_row = static_cast<std::int64_t>(b * beams_);
        if (done_[b]) {
            while (filled < beams_) keep(0.0F, special_.pad, first_row);
        } else {
            for (std::size_t rank = 0; rank < 2 * beams_ && filled < beams_; ++rank) {
                const std::int64_t parent = first_row + where[rank] / vocabulary, token = where[rank] % vocabulary;
                if (token != special_.end)
                    keep(best[rank], token, parent);
                else if (rank < beams_)
                    finished_[b].add(rows_[static_cast<std::size_t>(parent)], best[rank]);
            }
            done_[b] = finished_[b].complete(best[0], rows_.front().size());
        }
        std::copy_n(new_scores_.begin() + first_row, beams_, scores_.begin() + first_row);
    }

    const GenerateOptions& options_;
    SearchTokens special_;
    std::size_t beams_, images_;
    std::vector<Sequence> rows_;
    std::vector<float> scores_, new_scores_;
    std::vector<std::int64_t> next_, parents_;
    std::vector<bool> done_;
    std::vector<Hypotheses> finished_;
};

}    // namespace

std::vector<Generated> generate(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                                const SearchTokens& tokens) {
    if (options.num_beams == 1) return greedy(model, prompts_BP, options, tokens);
    BeamSearch search(prompts_BP, options, tokens);
    at::Tensor logits = model.start(prompts_BP).repeat_interleave(options.num_beams, 0);
    bool first = true;
    while (search.step(logits) && !search.full_length()) {
        at::Tensor parents = at::tensor(search.parents());
        // The model has one row for each image until the first choice; rows of the search are beams.
        if (first) parents = parents.div(options.num_beams, "floor");
        first = false;
        logits = model.advance(at::tensor(search.next()), parents);
    }
    return search.results();
}

CaptionModel::CaptionModel(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS)
    : text_(captioner.text()),
      weights_(weights),
      cache_(text_.start_cache(weights, captioner.vision().forward(weights, images_I3SS))) {}

at::Tensor CaptionModel::logits_after(const at::Tensor& tokens_RT) {
    const at::Device device = cache_.cross_keys_IhNd.front().device();
    return text_.advance(weights_, tokens_RT.to(device), cache_).to(at::kFloat);
}

at::Tensor CaptionModel::start(const at::Tensor& prompts_BP) { return logits_after(prompts_BP); }

at::Tensor CaptionModel::advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) {
    TextDecoder::reorder(cache_, parents_R.to(cache_.self_keys_RhTd.front().device()));
    return logits_after(tokens_R.unsqueeze(1));
}

}    // namespace blip

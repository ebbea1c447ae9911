// See beam_search.h. Rules: reference BLIP's generation (beam scorer of Hugging Face transformers 4.15), section
// 'Generation' of the recipe: log-softmax, penalties, 2 * beams candidates, hypotheses kept by sum / length ** penalty.
#include "blip/model/beam_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "blip/base/error.h"
#include "blip/kernels/device.h"
#include "src/model/one_by_one.h"

namespace blip {

namespace {

using Sequence = std::vector<std::int64_t>;
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

struct Hypothesis {
    double score = 0;              // sum after penalties / length ** penalty
    double log_probability = 0;    // the model's own sum
    Sequence tokens;               // without the end token
};

// The best finished sequences of one image.
class Hypotheses {
  public:
    Hypotheses(int capacity, double length_penalty) : capacity_(capacity), length_penalty_(length_penalty) {}

    // sum: of the log-probabilities after penalties, which ranks; log_probability: of the model's own.
    void add(const Sequence& tokens, double sum, double log_probability) {
        const double score = sum / std::pow(static_cast<double>(tokens.size()), length_penalty_);
        if (full() && score <= worst()) return;
        kept_.push_back({score, log_probability, tokens});
        // The first of equal worst ones goes.
        if (kept_.size() > static_cast<std::size_t>(capacity_)) kept_.erase(worst_place());
    }
    // No running beam can do better. length: before the next token is appended.
    bool complete(double best_running_sum, std::size_t length) const {
        return full() && worst() >= best_running_sum / std::pow(static_cast<double>(length), length_penalty_);
    }
    // Best first; ties favour the later added.
    std::vector<Hypothesis> best(std::size_t count) const {
        std::vector<Hypothesis> sorted(kept_.rbegin(), kept_.rend());
        std::stable_sort(sorted.begin(), sorted.end(),
                         [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
        sorted.resize(std::min(count, sorted.size()));
        return sorted;
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

// Log-probabilities of each row's distinct tokens times the penalty, in place.
void penalise_repetition(const at::Tensor& table_RV, const std::vector<Sequence>& rows, double penalty) {
    std::vector<std::int64_t> places;
    for (std::size_t r = 0; r < rows.size(); ++r)
        for (std::int64_t token : std::set<std::int64_t>(rows[r].begin(), rows[r].end()))
            places.push_back(static_cast<std::int64_t>(r) * table_RV.size(1) + token);
    const at::Tensor where = to_device(places, {static_cast<std::int64_t>(places.size())}, table_RV.device());
    const at::Tensor flat = table_RV.view(-1);
    flat.index_copy_(0, where, flat.index_select(0, where) * static_cast<float>(penalty));
}

template <class Value>
const Value* row_of(const at::Tensor& table_RK, std::size_t row) {
    return static_cast<const Value*>(table_RK.const_data_ptr()) + static_cast<std::int64_t>(row) * table_RK.size(1);
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
        own_.resize(rows_.size(), 0);
        next_.resize(rows_.size());
        parents_.resize(rows_.size());
    }

    // Chooses the next tokens from logits [R, V]; returns false when every image is done.
    bool step(const at::Tensor& logits_RV) {
        const std::size_t length = rows_.front().size();
        const std::int64_t vocabulary = logits_RV.size(1);
        const at::Tensor log_p = at::log_softmax(logits_RV, -1).contiguous();    // the model's own
        const bool penalised = options_.penalty() != 1.0,
                   too_short = length < static_cast<std::size_t>(options_.min_length);
        const at::Tensor scores = penalised || too_short ? log_p.clone() : log_p;
        if (penalised) penalise_repetition(scores, rows_, options_.penalty());
        if (too_short) scores.select(1, special_.end).fill_(minus_infinity);
        const at::Tensor so_far =
            staging_tensor({static_cast<std::int64_t>(scores_.size()), 1}, at::kFloat, scores.device());
        std::copy(scores_.begin(), scores_.end(), static_cast<float*>(so_far.data_ptr()));
        const at::Tensor sums = scores + to_device(so_far, scores.device());
        const auto images = static_cast<std::int64_t>(images_);
        const auto [values, places] =
            at::topk(sums.view({images, -1}), static_cast<std::int64_t>(2 * beams_), -1, true, true);
        const at::Tensor best = values.cpu(), own = log_p.view({images, -1}).gather(1, places).cpu(),
                         where = places.cpu();
        for (std::size_t b = 0; b < images_; ++b)
            choose(b, row_of<float>(best, b), row_of<float>(own, b), row_of<std::int64_t>(where, b), vocabulary);
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

    // num_captions for each prompt, best first.
    std::vector<Generated> results() {
        std::vector<Generated> results;
        for (std::size_t b = 0; b < images_; ++b) {
            if (!done_[b])
                for (std::size_t r = b * beams_; r < (b + 1) * beams_; ++r)
                    finished_[b].add(rows_[r], scores_[r], own_[r]);
            for (Hypothesis& one : finished_[b].best(static_cast<std::size_t>(options_.num_captions))) {
                results.push_back({std::move(one.tokens), one.log_probability});
                Sequence& tokens = results.back().tokens;
                if (tokens.size() < static_cast<std::size_t>(options_.max_length)) tokens.push_back(special_.end);
            }
        }
        return results;
    }

  private:
    // Walks the candidates of image b by rank. best: sums after penalties; own: the model's own log-probability of the
    // candidate's last token.
    void choose(std::size_t b, const float* best, const float* own, const std::int64_t* where,
                std::int64_t vocabulary) {
        std::size_t filled = 0;
        new_scores_.resize(rows_.size());
        new_own_.resize(rows_.size());
        const auto keep = [&](float score, double log_probability, std::int64_t token, std::int64_t parent) {
            const std::size_t r = b * beams_ + filled++;
            new_scores_[r] = score;
            new_own_[r] = log_probability;
            next_[r] = token;
            parents_[r] = parent;
        };
        const auto first_row = static_cast<std::int64_t>(b * beams_);
        if (done_[b]) {
            while (filled < beams_) keep(0.0F, 0.0, special_.pad, first_row);
        } else {
            for (std::size_t rank = 0; rank < 2 * beams_ && filled < beams_; ++rank) {
                const std::int64_t parent = first_row + where[rank] / vocabulary, token = where[rank] % vocabulary;
                const auto from = static_cast<std::size_t>(parent);
                if (token != special_.end)
                    keep(best[rank], own_[from] + own[rank], token, parent);
                else if (rank < beams_)
                    finished_[b].add(rows_[from], best[rank], own_[from] + own[rank]);
            }
            done_[b] = finished_[b].complete(best[0], rows_.front().size());
        }
        std::copy_n(new_scores_.begin() + first_row, beams_, scores_.begin() + first_row);
        std::copy_n(new_own_.begin() + first_row, beams_, own_.begin() + first_row);
    }

    const GenerateOptions& options_;
    SearchTokens special_;
    std::size_t beams_, images_;
    std::vector<Sequence> rows_;
    std::vector<float> scores_, new_scores_;    // after penalties: what ranks
    std::vector<double> own_, new_own_;         // the model's own
    std::vector<std::int64_t> next_, parents_;
    std::vector<bool> done_;
    std::vector<Hypotheses> finished_;
};

}    // namespace

std::vector<Generated> generate(NextTokenModel& model, const at::Tensor& prompts_BP, const GenerateOptions& options,
                                const SearchTokens& tokens, const DrawKeys& keys) {
    if (options.sample || options.num_beams == 1) return generate_one_by_one(model, prompts_BP, options, tokens, keys);
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

at::Tensor NextTokenModel::alone(std::int64_t, const std::vector<std::int64_t>&) {
    throw Error(ExitCode::internal, "this model does not compute a sequence alone");
}

CaptionModel::CaptionModel(const Captioner& captioner, const Weights& weights, const at::Tensor& images_I3SS)
    : vision_(captioner.vision()),
      text_(captioner.text()),
      weights_(weights),
      images_I3SS_(images_I3SS),
      cache_(text_.start_cache(weights, captioner.vision().forward(weights, images_I3SS))) {}

at::Tensor CaptionModel::logits_after(const at::Tensor& tokens_RT) {
    const at::Device device = cache_.cross_keys_IhNd.front().device();
    return text_.advance(weights_, tokens_RT.to(device), cache_).to(at::kFloat);
}

at::Tensor CaptionModel::start(const at::Tensor& prompts_BP) { return logits_after(prompts_BP); }

// bf16 logits are so coarse that nearly every draw would have to be repeated alone: there a batch of one is the remedy.
double CaptionModel::rounding() const {
    constexpr double fp32_sums_in_another_order = 4e-6;
    return cache_.cross_keys_IhNd.front().scalar_type() == at::kFloat ? fp32_sums_in_another_order : 0;
}

at::Tensor CaptionModel::alone(std::int64_t prompt, const std::vector<std::int64_t>& tokens) {
    const at::Tensor image = images_I3SS_.narrow(0, prompt, 1);
    const auto length = static_cast<std::int64_t>(tokens.size());
    TextDecoder::Cache cache = text_.start_cache(weights_, vision_.forward(weights_, image));
    return text_.advance(weights_, to_device(tokens, {1, length}, image.device()), cache).to(at::kFloat);
}

at::Tensor CaptionModel::advance(const at::Tensor& tokens_R, const at::Tensor& parents_R) {
    TextDecoder::reorder(cache_, parents_R.to(cache_.self_keys_RhTd.front().device()));
    return logits_after(tokens_R.unsqueeze(1));
}

}    // namespace blip

// See sampling.h.
#include "blip/generate/sampling.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "blip/base/error.h"
#include "blip/base/random.h"
#include "blip/device/device.h"

namespace blip {

namespace {

// Tokens fetched from the device at first: enough for nearly every nucleus. Behind the k-th there is room for its
// equals.
std::int64_t first_look(const GenerateOptions& options, std::int64_t vocabulary) {
    constexpr std::int64_t equals_of_last = 8, of_unlimited = 512;
    if (options.top_k > 0) return std::min(vocabulary, options.top_k + equals_of_last);
    return options.top_p < 1 ? std::min(vocabulary, of_unlimited) : vocabulary;
}

// The `count` likeliest tokens of each row. with_total: log_total is filled.
std::vector<RankedTokens> rank_tokens(const at::Tensor& logits_RV, std::int64_t count, bool with_total) {
    const auto [values, places] = at::topk(logits_RV, count, -1, /*largest=*/true, /*sorted=*/true);
    const at::Tensor logits = values.to(at::kFloat).cpu().contiguous(), tokens = places.cpu().contiguous();
    const at::Tensor totals = with_total ? at::logsumexp(logits_RV.to(at::kDouble), -1).cpu() : at::Tensor();
    const auto* logit = static_cast<const float*>(logits.const_data_ptr());
    const auto* token = static_cast<const std::int64_t*>(tokens.const_data_ptr());
    const auto* total = with_total ? static_cast<const double*>(totals.const_data_ptr()) : nullptr;
    std::vector<RankedTokens> rows(static_cast<std::size_t>(logits_RV.size(0)));
    std::vector<std::size_t> order(static_cast<std::size_t>(count));
    for (RankedTokens& row : rows) {
        // topk leaves the order of equal logits open, and it differs between devices
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return logit[a] > logit[b] || (logit[a] == logit[b] && token[a] < token[b]);
        });
        for (const std::size_t at : order) {
            row.tokens.push_back(token[at]);
            row.logits.push_back(logit[at]);
        }
        row.vocabulary = logits_RV.size(1);
        if (with_total) row.log_total = *total++;
        logit += count;
        token += count;
    }
    return rows;
}

std::vector<double> whole_nucleus(RankedTokens& ranked, const at::Tensor& logits_V, const GenerateOptions& options) {
    std::optional<std::vector<double>> found = nucleus(ranked, options.top_k, options.top_p);
    if (!found) {
        ranked = rank_tokens(logits_V.unsqueeze(0), ranked.vocabulary, false).front();
        found = nucleus(ranked, options.top_k, options.top_p);
    }
    return std::move(found.value());
}

}    // namespace

double draw_uniform(std::uint64_t seed, std::uint64_t picture, std::uint64_t caption, std::uint64_t position) {
    return RandomStream(random_key(seed, RandomPurpose::sampling, {picture, caption, position})).uniform();
}

at::Tensor adjusted_logits(const at::Tensor& logits_RV, const std::vector<std::vector<std::int64_t>>& sequences,
                           const GenerateOptions& options, std::int64_t end_token) {
    at::Tensor adjusted = logits_RV.contiguous().clone();
    if (options.penalty() != 1.0) {
        std::vector<std::int64_t> places;
        for (std::size_t r = 0; r < sequences.size(); ++r)
            for (const std::int64_t token : std::set<std::int64_t>(sequences[r].begin(), sequences[r].end()))
                places.push_back(static_cast<std::int64_t>(r) * adjusted.size(1) + token);
        const at::Tensor where = to_device(places, {static_cast<std::int64_t>(places.size())}, adjusted.device());
        const at::Tensor flat = adjusted.view(-1), old = flat.index_select(0, where);
        const auto factor = static_cast<float>(options.penalty());
        flat.index_copy_(0, where, at::where(old > 0, old / factor, old * factor));
    }
    if (sequences.front().size() < static_cast<std::size_t>(options.min_length))
        adjusted.select(1, end_token).fill_(-std::numeric_limits<float>::infinity());
    return adjusted;
}

std::optional<std::vector<double>> nucleus(const RankedTokens& ranked, int top_k, double top_p) {
    if (!std::isfinite(ranked.logits.front()))    // a NaN counts as the largest
        throw Error(ExitCode::bad_data, "the model's logits are not finite: its weights are damaged or diverged");
    const std::vector<float>& logits = ranked.logits;
    const bool all_here = static_cast<std::int64_t>(logits.size()) == ranked.vocabulary;
    // A token as likely as the last one here may have equals that are not here.
    const auto last_sure = [&](std::size_t kept) { return all_here || logits[kept - 1] > logits.back(); };

    std::size_t kept = logits.size();
    const bool limited = top_k > 0 && top_k < ranked.vocabulary;
    if (limited) {
        kept = static_cast<std::size_t>(top_k);
        if (kept > logits.size()) return std::nullopt;
        while (kept < logits.size() && logits[kept] == logits[static_cast<std::size_t>(top_k) - 1]) ++kept;
        if (!last_sure(kept)) return std::nullopt;
    }
    // Shares of the likeliest token's, so that nothing overflows.
    std::vector<double> shares(kept);
    for (std::size_t i = 0; i < kept; ++i)
        shares[i] = std::exp(static_cast<double>(logits[i]) - static_cast<double>(logits.front()));
    const double total = limited || all_here ? std::accumulate(shares.begin(), shares.end(), 0.0)
                                             : std::exp(ranked.log_total - static_cast<double>(logits.front()));
    if (top_p < 1) {
        double before = 0;
        std::size_t stay = 0;
        while (stay < kept && (stay == 0 || before <= top_p * total)) before += shares[stay++];
        if (stay == kept && !limited && !all_here) return std::nullopt;
        if (!limited && !last_sure(stay)) return std::nullopt;
        shares.resize(stay);
    } else if (!limited && !all_here) {
        return std::nullopt;
    }
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    for (double& share : shares) share /= sum;
    return shares;
}

bool is_close(const RankedTokens& ranked, const std::vector<double>& probabilities, std::size_t chosen, double uniform,
              const GenerateOptions& options, double slack) {
    if (slack <= 0) return false;
    const std::vector<float>& logits = ranked.logits;
    const std::size_t kept = probabilities.size();
    // Two logits may each be off: their order is open within twice the slack.
    const auto near_tie = [&](std::size_t a, std::size_t b) {
        return b < logits.size() && static_cast<double>(logits[a]) - static_cast<double>(logits[b]) <= 2 * slack;
    };
    if ((chosen > 0 && near_tie(chosen - 1, chosen)) || near_tie(chosen, chosen + 1)) return true;
    // The sum c of some tokens' probabilities moves by at most 2 * slack * c * (1 - c).
    double below = 0;
    for (std::size_t i = 0; i < chosen; ++i) below += probabilities[i];
    if (std::abs(uniform - below) <= slack && chosen > 0) return true;
    if (std::abs(below + probabilities[chosen] - uniform) <= slack && chosen + 1 < kept) return true;
    // Who is kept: at the border of top-k, then at that of top-p.
    const auto limit = static_cast<std::size_t>(options.top_k);
    const bool limited = options.top_k > 0 && options.top_k < ranked.vocabulary;
    if (limited && near_tie(limit - 1, limit)) return true;
    if (options.top_p >= 1) return false;
    double total = 0, stayed = 0;
    const std::size_t before_top_p = limited ? std::min(limit, logits.size()) : logits.size();
    for (std::size_t i = 0; i < before_top_p; ++i) {
        const double share = std::exp(static_cast<double>(logits[i]) - static_cast<double>(logits.front()));
        total += share;
        if (i < kept) stayed += share;
    }
    if (!limited && ranked.vocabulary > static_cast<std::int64_t>(logits.size()))
        total = std::exp(ranked.log_total - static_cast<double>(logits.front()));
    const double last = std::exp(static_cast<double>(logits[kept - 1]) - static_cast<double>(logits.front()));
    return std::abs(stayed / total - options.top_p) <= slack ||
           (kept > 1 && std::abs((stayed - last) / total - options.top_p) <= slack);
}

std::size_t inverse_cdf(const std::vector<double>& probabilities, double uniform) {
    double sum = 0;
    std::size_t possible = 0;    // rounding may leave the sum of all below `uniform`
    for (std::size_t i = 0; i < probabilities.size(); ++i) {
        if (probabilities[i] <= 0) continue;
        possible = i;
        sum += probabilities[i];
        if (uniform < sum) break;
    }
    return possible;
}

std::vector<Draw> draw_tokens(const at::Tensor& adjusted_RV, const GenerateOptions& options,
                              const std::vector<double>& uniforms, double rounding) {
    const std::int64_t count = first_look(options, adjusted_RV.size(1));
    std::vector<RankedTokens> rows = rank_tokens(adjusted_RV, count, options.top_k == 0);
    std::vector<Draw> drawn;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto probabilities = whole_nucleus(rows[r], adjusted_RV[static_cast<std::int64_t>(r)], options);
        const std::size_t chosen = inverse_cdf(probabilities, uniforms[r]);
        const double slack = rounding * std::max(1.0, std::abs(static_cast<double>(rows[r].logits.front())));
        drawn.push_back(
            {rows[r].tokens[chosen], is_close(rows[r], probabilities, chosen, uniforms[r], options, slack)});
    }
    return drawn;
}

std::vector<Candidate> candidates(const at::Tensor& adjusted_V, const GenerateOptions& options) {
    const std::int64_t count = first_look(options, adjusted_V.size(0));
    RankedTokens ranked = rank_tokens(adjusted_V.unsqueeze(0), count, options.top_k == 0).front();
    const std::vector<double> probabilities = whole_nucleus(ranked, adjusted_V, options);
    std::vector<Candidate> found;
    for (std::size_t i = 0; i < probabilities.size(); ++i) found.push_back({ranked.tokens[i], probabilities[i]});
    return found;
}

}    // namespace blip

// Nucleus sampling as the reference's: the filters over next-token logits, and draws that depend on nothing but their
// key. Used by generate() in beam_search.h. Legend: R rows (one caption each), V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "blip/options/options.h"

namespace blip {

// What the numbers of a batch's draws hang on. The same seed, key and caption index give the same draws, whatever else
// is in the batch.
struct DrawKeys {
    std::uint64_t seed = 0;
    std::vector<std::uint64_t> pictures;    // one for each prompt; no two pictures of a run should share one
};
// Uniform in [0, 1) for one token: position counts the tokens before it, prompt included.
double draw_uniform(std::uint64_t seed, std::uint64_t picture, std::uint64_t caption, std::uint64_t position);

// The first two filters over raw logits [R, V], as new logits: each distinct token of a row so far (prompt included) is
// penalised once, divided by the penalty where positive and multiplied where negative; the end token is -inf while the
// rows are shorter than min_length. sequences: of all rows, of equal length. Also greedy search's.
at::Tensor adjusted_logits(const at::Tensor& logits_RV, const std::vector<std::vector<std::int64_t>>& sequences,
                           const GenerateOptions& options, std::int64_t end_token);

// The likeliest tokens of one row in the order of drawing: falling logits, equal ones by rising token id.
struct RankedTokens {
    std::vector<std::int64_t> tokens;
    std::vector<float> logits;
    std::int64_t vocabulary = 0;    // how many there are in all; any that is not here has no higher logit than the last
    double log_total = 0;    // log of the sum of exp(logit) over the vocabulary; needed if top_k is 0 and tokens lack
};
// The other two filters (Hugging Face transformers 4.15, TopKLogitsWarper and TopPLogitsWarper with one token to keep
// at least). top_k: all tokens as likely as the k-th stay; 0 = off. top_p: tokens stay up to the one with which the sum
// of those before first exceeds top_p, that one left out, the first always kept; 1 = off. The probabilities, summing to
// 1, of the first tokens of `ranked`, all others having none; nullopt if it does not hold enough tokens to tell. Throws
// bad_data if a logit is not a number.
std::optional<std::vector<double>> nucleus(const RankedTokens& ranked, int top_k, double top_p);
// Whether the choice of places[chosen] could be another one if every logit were off by at most `slack`. probabilities:
// of nucleus(); may say so where it could not.
bool is_close(const RankedTokens& ranked, const std::vector<double>& probabilities, std::size_t chosen, double uniform,
              const GenerateOptions& options, double slack);
// The place whose share of [0, 1), one after the other in the given order, holds `uniform`. Never one of probability 0.
std::size_t inverse_cdf(const std::vector<double>& probabilities, double uniform);

// One token for each row of adjusted logits [R, V], which may be on another device: only likely tokens come from there.
// close: is_close() for logits that are off by `rounding` of the row's largest.
struct Draw {
    std::int64_t token = 0;
    bool close = false;
};
std::vector<Draw> draw_tokens(const at::Tensor& adjusted_RV, const GenerateOptions& options,
                              const std::vector<double>& uniforms, double rounding = 0);
// All tokens that may be drawn from one row, likeliest first.
struct Candidate {
    std::int64_t token = 0;
    double probability = 0;
};
std::vector<Candidate> candidates(const at::Tensor& adjusted_V, const GenerateOptions& options);

}    // namespace blip

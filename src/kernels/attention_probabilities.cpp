// See attention_probabilities.h.
#include "blip/kernels/attention_probabilities.h"

#include <ATen/ops/empty_like.h>

#include "src/kernels/launch.h"

namespace blip {

namespace {
std::int64_t real_of(std::int64_t real_keys, std::int64_t keys) {
    if (real_keys < 0 || real_keys > keys) throw Error(ExitCode::internal, "{} real keys among {}", real_keys, keys);
    return real_keys == 0 ? keys : real_keys;
}
}    // namespace

AttentionProbabilities attention_probabilities(const at::Tensor& scores, double scale, bool causal,
                                               const DropoutDraw& dropout, std::int64_t real_keys) {
    const std::int64_t values = scores.numel(), keys = scores.size(-1), queries = scores.size(-2);
    if (causal && queries > keys)
        throw Error(ExitCode::internal, "a causal mask for {} queries and {} keys", queries, keys);
    AttentionProbabilities probabilities{at::empty_like(scores), {}};
    if (dropout.probability > 0) probabilities.dropped = at::empty_like(scores);
    with_type_of(scores, [&]<class Value>(Value) {
        run(ProbabilitiesBody<Value>{read_from<Value>(scores, values), write_to<Value>(probabilities.whole, values),
                                     write_to<Value>(probabilities.dropped, values), site_of(dropout, scores),
                                     static_cast<float>(scale), values / keys, keys, real_of(real_keys, keys),
                                     causal ? queries : 0},
            scores);
    });
    if (!probabilities.dropped.defined()) probabilities.dropped = probabilities.whole;
    return probabilities;
}

at::Tensor attention_probabilities_backward(const at::Tensor& gradient, const at::Tensor& whole, double scale,
                                            const DropoutDraw& dropout, std::int64_t real_keys) {
    const std::int64_t values = whole.numel(), keys = whole.size(-1);
    at::Tensor of_scores = at::empty_like(whole);
    with_type_of(whole, [&]<class Value>(Value) {
        run(ProbabilitiesBackwardBody<Value>{read_from<Value>(gradient, values), read_from<Value>(whole, values),
                                             write_to<Value>(of_scores, values), site_of(dropout, whole),
                                             static_cast<float>(scale), values / keys, keys, real_of(real_keys, keys)},
            whole);
    });
    return of_scores;
}

}    // namespace blip
